//! One row a user of an organisation. Times are microseconds since 1970.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub user_id: String,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub organization_id: String,
    pub sequence: i64,
    pub created_at: i64,
    pub changed_at: i64,
    #[sea_orm(column_type = "Text")]
    pub username: String,
    #[sea_orm(column_type = "Text")]
    pub given_name: String,
    #[sea_orm(column_type = "Text")]
    pub family_name: String,
    #[sea_orm(column_type = "Text")]
    pub nick_name: String,
    #[sea_orm(column_type = "Text")]
    pub display_name: String,
    #[sea_orm(column_type = "Text")]
    pub preferred_language: String,
    pub gender: i32,
    #[sea_orm(column_type = "Text")]
    pub email: String,
    pub email_verified: bool,
    /// JSON: open and ended challenges, without their codes.
    #[sea_orm(column_type = "Text")]
    pub challenges: String,
    /// JSON: what the account has used up.
    #[sea_orm(column_type = "Text")]
    pub limits: String,
    /// Counts the changes of the row and of the account's numbers.
    pub version: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
