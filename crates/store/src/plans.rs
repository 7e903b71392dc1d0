//! Holds that every hot statement finds its rows by an index, on both databases, in tables worth one.

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    Statement, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use crate::Settings;
use crate::entity::{accounts, budgets, events, outbox, phone_numbers};
use crate::migration::Migrator;
use crate::sql::{Changes, Sql, Write};

/// Rows in each table: enough for a planner to prefer an index.
const ROWS: u32 = 20_000;

const TABLES: [&str; 5] = ["accounts", "phone_numbers", "budgets", "outbox", "events"];

/// Fills a table by one row for each number from 1, whose columns are these.
fn fill(backend: DbBackend, table: &str, columns: &str) -> String {
    let numbers = match backend {
        DbBackend::Postgres => format!("generate_series(1, {ROWS}) AS s(n)"),
        _ => format!(
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) \
             SELECT n FROM s)"
        ),
    };
    let (names, values): (Vec<&str>, Vec<&str>) = columns
        .split(';')
        .map(|column| column.trim().split_once(" = ").expect("name = value"))
        .unzip();
    let (names, values) = (names.join(", "), values.join(", "));
    format!("INSERT INTO {table} ({names}) SELECT {values} FROM {numbers}")
}

async fn filled(database: &impl ConnectionTrait) {
    let backend = database.get_database_backend();
    let text = |name: &str| format!("{name} = 'x'");
    let accounts = "user_id = 'u' || n; organization_id = 'o'; sequence = n; created_at = n; \
                    changed_at = n; gender = 0; email_verified = false; challenges = '[]'; \
                    limits = '{}'; "
        .to_owned()
        + &[
            "username",
            "given_name",
            "family_name",
            "nick_name",
            "display_name",
            "preferred_language",
            "email",
        ]
        .map(text)
        .join("; ");
    let statements = [
        fill(backend, "accounts", &accounts),
        fill(
            backend,
            "phone_numbers",
            "id = 'p' || n; user_id = 'u' || n; organization_id = 'o'; number = '+' || n; \
             primary_number = true; created_at = n; changed_at = n",
        ),
        fill(
            backend,
            "budgets",
            "pseudonym = 'b' || n; state = '{}'; idle_at = n",
        ),
        fill(
            backend,
            "outbox",
            "id = 'm' || n; user_id = 'u' || n; number = '+' || n; kind = 'code'; \
             language = ''; created_at = n; expires_at = n; due_at = n; attempts = 0",
        ),
        fill(
            backend,
            "events",
            "id = 'e' || n; user_id = 'u' || n; organization_id = 'o'; actor = 'a'; \
             kind = 'k'; sequence = n; at = n",
        ),
        "ANALYZE".to_owned(),
    ];
    for sql in statements {
        database.execute_unprepared(&sql).await.expect(&sql);
    }
}

/// Every statement that serves a request or a message, about one row of each table.
fn statements(sql: &Sql) -> Vec<Statement> {
    let one = || std::iter::once("u1");
    let changes = Changes {
        accounts_added: vec![account("u0")],
        accounts_changed: vec![account("u1")],
        accounts_removed: vec!["u2".into()],
        phones_added: vec![phone("p0")],
        phones_changed: vec![phone("p1")],
        phones_removed: vec!["p2".into()],
        budgets_added: vec![budget("b0")],
        budgets_changed: vec![budget("b1")],
        messages: vec![message("m0")],
        events: vec![event("e0")],
    };
    let mut all = vec![
        sql.lock_accounts(one()).expect("must be built"),
        sql.find_accounts(one()).expect("must be built"),
        sql.find_whole_accounts(one()).expect("must be built"),
        sql.find_phones(one()).expect("must be built"),
        sql.lock_budgets(std::iter::once("b1"))
            .expect("must be built"),
        sql.claim(10, 20, 100),
        sql.remove_messages(std::iter::once("m1"))
            .expect("must be built"),
        sql.postpone_message(20, "m1", 1),
        sql.purge_budgets(10, 500),
    ];
    match sql.write(&changes).expect("must be built") {
        Write::Counted(statement) => all.push(statement),
        Write::Each(statements) => all.extend(statements),
    }
    all
}

/// The steps of a statement's plan, a line each.
async fn plan(database: &impl ConnectionTrait, statement: &Statement) -> Vec<String> {
    let backend = database.get_database_backend();
    let (explain, column) = match backend {
        DbBackend::Postgres => ("EXPLAIN", 0),
        _ => ("EXPLAIN QUERY PLAN", 3),
    };
    let explained = Statement {
        sql: format!("{explain} {}", statement.sql),
        ..statement.clone()
    };
    let rows = database.query_all_raw(explained).await;
    rows.expect(&statement.sql)
        .iter()
        .map(|row| row.try_get_by_index(column).expect("a line"))
        .collect()
}

/// No hot statement reads a whole table.
async fn finds_by_keys(database: &impl ConnectionTrait) {
    let backend = database.get_database_backend();
    for statement in statements(&Sql::new(backend)) {
        for line in plan(database, &statement).await {
            let reads_all = TABLES.iter().any(|table| match backend {
                DbBackend::Postgres => line.contains(&format!("Seq Scan on {table}")),
                _ => line.starts_with(&format!("SCAN {table}")) && !line.contains("USING INDEX"),
            });
            assert!(!reads_all, "{line}\n{}", statement.sql);
        }
    }
}

async fn check(database: &impl ConnectionTrait) {
    let backend = database.get_database_backend();
    filled(database).await;
    finds_by_keys(database).await;
    // The check itself can fail.
    let whole = Statement::from_string(backend, "SELECT count(*) FROM accounts WHERE email = ''");
    let plan = plan(database, &whole).await.join("\n");
    assert!(
        plan.contains("Seq Scan on accounts") || plan.contains("SCAN accounts"),
        "{plan}"
    );
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("must connect")
}

#[tokio::test]
async fn hot_statements_use_an_index_on_sqlite() {
    let database = connect("sqlite::memory:").await;
    Migrator::up(&database, None).await.expect("must migrate");
    check(&database).await;
}

#[tokio::test]
async fn hot_statements_use_an_index_on_postgres() {
    let database = connect(&postgres()).await;
    let transaction = migrated(&database).await;
    check(&transaction).await;
    transaction.rollback().await.expect("must roll back");
}

/// A plan that is made while a table is small stays, so what is made for an empty one must do for any.
#[tokio::test]
async fn the_first_plan_of_an_empty_postgres_uses_an_index() {
    let settings = Settings {
        url: postgres(),
        lanes: 1,
        lane_bound: 1,
        batch: 1,
        readers: 1,
    };
    let pools = crate::connect(&settings, DbBackend::Postgres, settings.lanes).await;
    let [writer, _, finder] = pools.expect("must connect");
    for database in [writer, finder] {
        let transaction = migrated(&database).await;
        finds_by_keys(&transaction).await;
        transaction.rollback().await.expect("must roll back");
    }
}

fn postgres() -> String {
    std::env::var("RINGBACK_TEST_POSTGRES")
        .expect("RINGBACK_TEST_POSTGRES is not set: run the tests with scripts/test")
}

/// Tables in a schema that is never committed, so that nothing is left behind.
async fn migrated(database: &DatabaseConnection) -> DatabaseTransaction {
    let transaction = database.begin().await.expect("must begin");
    for sql in ["CREATE SCHEMA plans", "SET LOCAL search_path TO plans"] {
        transaction.execute_unprepared(sql).await.expect(sql);
    }
    Migrator::up(&transaction, None)
        .await
        .expect("must migrate");
    transaction
}

fn account(id: &str) -> accounts::Model {
    accounts::Model {
        user_id: id.into(),
        organization_id: "o".into(),
        sequence: 1,
        created_at: 1,
        changed_at: 1,
        username: String::new(),
        given_name: String::new(),
        family_name: String::new(),
        nick_name: String::new(),
        display_name: String::new(),
        preferred_language: String::new(),
        gender: 0,
        email: String::new(),
        email_verified: false,
        challenges: "[]".into(),
        limits: "{}".into(),
    }
}

fn phone(id: &str) -> phone_numbers::Model {
    phone_numbers::Model {
        id: id.into(),
        user_id: "u1".into(),
        organization_id: "o".into(),
        number: "+1".into(),
        primary_number: true,
        pending: None,
        verified_at: None,
        created_at: 1,
        changed_at: 1,
    }
}

fn budget(pseudonym: &str) -> budgets::Model {
    budgets::Model {
        pseudonym: pseudonym.into(),
        state: "{}".into(),
        idle_at: None,
    }
}

fn message(id: &str) -> outbox::Model {
    outbox::Model {
        id: id.into(),
        user_id: "u1".into(),
        number: "+1".into(),
        kind: "code".into(),
        challenge_id: None,
        language: String::new(),
        created_at: 1,
        expires_at: 1,
        due_at: 1,
        attempts: 0,
    }
}

fn event(id: &str) -> events::Model {
    events::Model {
        id: id.into(),
        user_id: "u1".into(),
        organization_id: "o".into(),
        sequence: 1,
        at: 1,
        actor: "a".into(),
        kind: "k".into(),
        cause: None,
        number_pseudonym: None,
        number_mask: None,
    }
}
