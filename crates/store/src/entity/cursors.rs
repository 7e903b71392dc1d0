//! One row for everybody who goes through the journal: how far they are.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "cursors")]
pub struct Model {
    /// `journal`: the end of it; `checkpoints`: what they cover; `forgotten`: what is kept no more; `endpoint:NAME`: what was delivered.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub name: String,
    pub position: i64,
    pub version: i64,
    /// Of all events up to the position.
    #[sea_orm(column_type = "Text")]
    pub chain: Option<String>,
    /// What says that the chain is our own.
    #[sea_orm(column_type = "Text")]
    pub seal: Option<String>,
    /// Who is at it
    #[sea_orm(column_type = "Text")]
    pub owner: Option<String>,
    /// and until when nobody else is.
    pub until_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
