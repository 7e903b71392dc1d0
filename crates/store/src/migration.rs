//! The history of the tables. Each step names its columns itself: a later entity must not rewrite it.

mod m0001_tables;
mod m0002_versions;
mod m0003_event_counts;
mod m0004_organizations;
mod m0005_messages;

use std::sync::OnceLock;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

/// A step that this version does not take, of a program that is built from it to test upgrades.
#[derive(Clone, Copy, Debug)]
pub struct LaterStep {
    /// How it is known in the table of steps; greater than the names before it.
    pub name: &'static str,
    /// What it does.
    pub statements: &'static [&'static str],
}

static LATER: OnceLock<&'static [LaterStep]> = OnceLock::new();

/// Makes this process a newer program, which takes these steps, too. To be called once, before all else.
pub fn take_later_steps(steps: &'static [LaterStep]) {
    LATER.get_or_init(|| steps);
}

impl MigrationName for LaterStep {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for LaterStep {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in self.statements {
            let database = manager.get_connection();
            database.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut steps: Vec<Box<dyn MigrationTrait>> = vec![
            Box::new(m0001_tables::Migration),
            Box::new(m0002_versions::Migration),
            Box::new(m0003_event_counts::Migration),
            Box::new(m0004_organizations::Migration),
            Box::new(m0005_messages::Migration),
        ];
        for later in LATER.get().copied().unwrap_or_default() {
            steps.push(Box::new(*later));
        }
        steps
    }
}
