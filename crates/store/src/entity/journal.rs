//! One row an event, in the order in which all of them went on record. Rows are only ever added, and erased in part.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "journal")]
pub struct Model {
    /// Counts all events from 1, without a gap.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    #[sea_orm(column_type = "Text")]
    pub id: String,
    /// Another name once the account was erased.
    #[sea_orm(column_type = "Text")]
    pub user_id: String,
    #[sea_orm(column_type = "Text")]
    pub organization_id: String,
    pub sequence: i64,
    pub at: i64,
    #[sea_orm(column_type = "Text")]
    pub actor: String,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub cause: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub number_pseudonym: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub number_mask: Option<String>,
    pub count: i64,
    #[sea_orm(column_type = "Text")]
    pub detail: Option<String>,
    /// Hexadecimal, like the hashes; empty once the row was erased.
    #[sea_orm(column_type = "Text")]
    pub salt: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub commitment: String,
    /// The hash of the same account's event before it.
    #[sea_orm(column_type = "Text")]
    pub previous: String,
    #[sea_orm(column_type = "Text")]
    pub hash: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
