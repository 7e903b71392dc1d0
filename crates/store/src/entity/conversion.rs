//! One row an hour, a route and a country: how messages with codes went. Statistics, not truth.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "conversion")]
pub struct Model {
    /// Hours since 1970.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hour: i64,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub route: String,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub country: String,
    pub sent: i64,
    pub delivered: i64,
    pub undelivered: i64,
    pub verified: i64,
    /// What all messages that the route took cost, in millionths.
    pub cost: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
