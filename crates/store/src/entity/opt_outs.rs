//! One row a number whose owner has told a route to stop, under its pseudonym.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "opt_outs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub pseudonym: String,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub route: String,
    pub at: i64,
    /// Until when it is believed; empty for until the owner says otherwise.
    pub until_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
