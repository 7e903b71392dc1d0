//! One row a message: one that is still to be sent, and for a while one that was. No row holds a code.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub user_id: String,
    #[sea_orm(column_type = "Text")]
    pub organization_id: String,
    /// Erased when nothing more is tried.
    #[sea_orm(column_type = "Text")]
    pub number: Option<String>,
    /// With the pseudonym, what stays of the number; empty while the message waits for a route.
    #[sea_orm(column_type = "Text")]
    pub number_mask: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub number_pseudonym: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub challenge_id: Option<String>,
    pub round: i32,
    #[sea_orm(column_type = "Text")]
    pub language: String,
    pub created_at: i64,
    pub expires_at: i64,
    /// The route that it waits for, or that was asked last; empty for none.
    #[sea_orm(column_type = "Text")]
    pub route: String,
    /// From this time on a worker may claim the row; a claim moves it to the end of the claim's lease. Empty when
    /// it waits for no route.
    pub due_at: Option<i64>,
    pub attempts: i32,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub ended_at: Option<i64>,
    /// What was tried, as JSON.
    #[sea_orm(column_type = "Text")]
    pub trail: String,
    /// What the route that has it calls it.
    #[sea_orm(column_type = "Text")]
    pub reference: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
