//! The history of the tables. Each step names its columns itself: a later entity must not rewrite it.

mod m0001_tables;
mod m0002_versions;
mod m0003_event_counts;
mod m0004_organizations;

use sea_orm_migration::prelude::*;

pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_tables::Migration),
            Box::new(m0002_versions::Migration),
            Box::new(m0003_event_counts::Migration),
            Box::new(m0004_organizations::Migration),
        ]
    }
}
