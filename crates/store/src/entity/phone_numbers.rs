//! One row a number of an account.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "phone_numbers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub user_id: String,
    #[sea_orm(column_type = "Text")]
    pub organization_id: String,
    #[sea_orm(column_type = "Text")]
    pub number: String,
    pub primary_number: bool,
    /// What becomes of it once it is proven, while it is not the account's yet: `joins` or `replaces`.
    #[sea_orm(column_type = "Text")]
    pub pending: Option<String>,
    pub verified_at: Option<i64>,
    pub created_at: i64,
    pub changed_at: i64,
    /// What the number's budget is kept under; empty in rows that were written before there was this column.
    #[sea_orm(column_type = "Text")]
    pub pseudonym: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
