//! What was used up: one row a number that was sent to, a client address that users came from, and a share of an
//! organisation's budgets, each under its pseudonym.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "budgets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub pseudonym: String,
    /// JSON: what of it was used up.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// From this time on the row says nothing; none in rows of organisations, which always do, and in rows of an
    /// older version that hold wrong guesses.
    pub idle_at: Option<i64>,
    /// Counts the row's changes.
    pub version: i64,
    /// What the pseudonym stands for: `number`, `address` or `organization`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
