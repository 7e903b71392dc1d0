//! One row a country, or numbers that begin alike, of an organisation: what the guard knows of it. Statistics, not truth.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "guard_tallies")]
pub struct Model {
    /// `country:CH:ORGANISATION` or `prefix:+4179123:ORGANISATION`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub name: String,
    /// A tally, as JSON.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// How often it was written.
    pub version: i64,
    /// When it was, by the clock of whoever wrote it.
    pub changed_at: i64,
    /// From this time on it says nothing any more.
    pub idle_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
