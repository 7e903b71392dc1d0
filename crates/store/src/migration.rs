//! The history of the tables. Each step names its columns itself: a later entity must not rewrite it.

mod m0001_tables;
mod m0002_versions;
mod m0003_event_counts;
mod m0004_organizations;
mod m0005_messages;
mod m0006_opt_outs;
mod m0007_conversion;
mod m0008_event_details;
mod m0010_journal;
mod m0011_idempotency;
mod m0012_pending;
mod m0014_guard_tallies;
mod m0015_events_in_turn;
mod m0016_conversion_cost;
mod m0017_message_lists;

use std::sync::OnceLock;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

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

/// One step from one version of the tables to the next.
#[async_trait::async_trait]
pub(crate) trait Step: Send + Sync {
    /// How it is known in the table of steps.
    fn name(&self) -> &'static str;

    /// Takes it, within the transaction of all of them.
    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr>;
}

#[async_trait::async_trait]
impl Step for LaterStep {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        for statement in self.statements {
            database.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// All that this program knows, in order.
pub(crate) fn steps() -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = vec![
        Box::new(m0001_tables::Tables),
        Box::new(m0002_versions::Versions),
        Box::new(m0003_event_counts::EventCounts),
        Box::new(m0004_organizations::Organizations),
        Box::new(m0005_messages::Messages),
        Box::new(m0006_opt_outs::OptOuts),
        Box::new(m0007_conversion::Conversion),
        Box::new(m0008_event_details::EventDetails),
        Box::new(m0010_journal::Journal),
        Box::new(m0011_idempotency::Idempotency),
        Box::new(m0014_guard_tallies::GuardTallies),
        Box::new(m0012_pending::Pending),
        Box::new(m0015_events_in_turn::EventsInTurn),
        Box::new(m0016_conversion_cost::ConversionCost),
        Box::new(m0017_message_lists::MessageLists),
    ];
    for later in LATER.get().copied().unwrap_or_default() {
        steps.push(Box::new(*later));
    }
    steps
}

/// Takes the steps that are missing, and notes them in the table of steps.
pub(crate) async fn up(database: &DatabaseTransaction) -> Result<(), DbErr> {
    let backend = database.get_database_backend();
    database
        .execute_unprepared(
            "CREATE TABLE IF NOT EXISTS seaql_migrations \
             (version varchar NOT NULL PRIMARY KEY, applied_at bigint NOT NULL)",
        )
        .await?;
    let taken = taken(database).await?;
    let steps = steps();
    let known = |name: &String| steps.iter().any(|step| step.name() == name);
    if let Some(unknown) = taken.iter().find(|name| !known(name)) {
        return Err(DbErr::Custom(format!(
            "the tables have the step {unknown}, which this program does not know; run a newer ringback"
        )));
    }
    let now = match backend {
        DbBackend::Postgres => "CAST(extract(epoch FROM now()) AS bigint)",
        _ => "CAST(strftime('%s', 'now') AS integer)",
    };
    let note = format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ($1, {now})");
    for step in steps
        .iter()
        .filter(|step| !taken.iter().any(|name| name == step.name()))
    {
        step.up(database).await?;
        let values = [step.name().into()];
        let noted = Statement::from_sql_and_values(backend, &note, values);
        database.execute_raw(noted).await?;
    }
    Ok(())
}

/// The steps that were taken, of any program.
pub(crate) async fn taken(database: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let steps = "SELECT version FROM seaql_migrations";
    let steps = Statement::from_string(database.get_database_backend(), steps);
    let rows = database.query_all_raw(steps).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
