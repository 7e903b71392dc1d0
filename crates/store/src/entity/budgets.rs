//! One row a number that was sent to, under its pseudonym.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "budgets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub pseudonym: String,
    /// JSON: what the number has used up.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// From this time on the row says nothing; none in rows of an older version that hold wrong guesses.
    pub idle_at: Option<i64>,
    /// Counts the row's changes.
    pub version: i64,
    /// What the pseudonym stands for: `number`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
