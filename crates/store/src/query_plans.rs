//! Holds that every hot statement finds its rows by an index, on both databases, in tables worth one.

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    Statement, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use crate::Settings;
use crate::changes::{Changes, NewMessage, TableChange};
use crate::dial::{Dialer, Purpose};
use crate::entity::{account_names, accounts, budgets, deleted_accounts, events, phone_numbers};
use crate::migration::Migrator;
use crate::sql::{Sql, Wanted};

/// Rows in each table: enough for a planner to prefer an index.
const ROWS: u32 = 20_000;

const TABLES: [&str; 7] = [
    "accounts",
    "account_names",
    "phone_numbers",
    "budgets",
    "deleted_accounts",
    "messages",
    "events",
];

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
    let names = "user_id = 'u' || n; organization_id = 'o'; ".to_owned()
        + &[
            "username",
            "given_name",
            "family_name",
            "nick_name",
            "display_name",
            "email",
        ]
        .map(text)
        .join("; ");
    let statements = [
        fill(backend, "accounts", &accounts),
        fill(backend, "account_names", &names),
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
            "deleted_accounts",
            "pseudonym = 'd' || n; deleted_at = n; until_at = n",
        ),
        fill(
            backend,
            "messages",
            "id = 'm' || n; user_id = 'u' || n; organization_id = 'o'; number = '+' || n; kind = 'code'; \
             language = ''; created_at = n; expires_at = n; due_at = n; attempts = 0; round = 0; \
             route = 'r' || n; state = 'queued'; trail = '[]'",
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
    let exactly = Wanted {
        exact: [("o", "u1")].into(),
        ..Wanted::default()
    };
    let anywhere = Wanted {
        anywhere: ["u1"].into(),
        ..Wanted::default()
    };
    let changes = Changes {
        accounts: TableChange {
            added: vec![account("u0")],
            changed: vec![account("u1")],
            removed: vec![account("u2")],
        },
        states: TableChange {
            changed: vec![account("u3").into()],
            ..TableChange::default()
        },
        names: TableChange {
            added: vec![names("u0")],
            changed: vec![names("u1")],
            removed: vec![names("u2")],
        },
        phones: TableChange {
            added: vec![phone("p0")],
            changed: vec![phone("p1")],
            removed: vec![phone("p2")],
        },
        budgets: TableChange {
            added: vec![budget("b0")],
            changed: vec![budget("b1")],
            ..TableChange::default()
        },
        deleted: TableChange {
            added: vec![deleted("d0")],
            changed: vec![deleted("d1")],
            removed: vec![deleted("d2")],
        },
        messages: TableChange {
            added: vec![message("m0")],
            ..TableChange::default()
        },
        events: TableChange {
            added: vec![event("e0")],
            ..TableChange::default()
        },
    };
    let ids = |n: &'static str| std::iter::once(n);
    let mut all = vec![
        sql.accounts(&exactly).expect("must be built"),
        sql.accounts(&anywhere).expect("must be built"),
        sql.what_decides(&exactly, ids("b1"), ids("d1"))
            .expect("must be built"),
        sql.what_decides(&anywhere, ids("b1"), ids("d1"))
            .expect("must be built"),
        sql.challenges(&exactly).expect("must be built"),
        sql.phones(&exactly).expect("must be built"),
        sql.claim("r1", 10, 20, 100),
        sql.remove_messages(r#"[{"id":"m1","attempts":1}]"#.into()),
        sql.settle_messages(r#"[{"id":"m1","due_at":20,"attempts":1,"route":"r2"}]"#.into()),
        sql.purge_messages("m1", 500),
        sql.erase_numbers(10, 500),
        sql.purge_budgets(10, 500),
        sql.purge_deleted(10, 500),
    ];
    let writes = || changes.writes().expect("must be built");
    match sql.backend {
        DbBackend::Postgres => all.push(sql.writes.at_once(writes())),
        _ => all.extend(writes().into_iter().map(|write| sql.writes.one(write))),
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
    if backend == DbBackend::Postgres {
        // As on every connection that finds by keys.
        let set = database.execute_unprepared("SET LOCAL enable_seqscan = off");
        set.await.expect("must set");
    }
    finds_by_keys(database).await;
    // The check itself can fail.
    if backend == DbBackend::Postgres {
        let set = database.execute_unprepared("SET LOCAL enable_seqscan = on");
        set.await.expect("must set");
    }
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
        timeout: std::time::Duration::from_secs(5),
        list_timeout: std::time::Duration::from_secs(5),
        lists_per_organization: 1,
        keep_messages: std::time::Duration::ZERO,
    };
    let dialer = Dialer::new(&settings).expect("an address");
    let session = dialer.dial(Purpose::Keys).await.expect("must connect");
    let shown = Statement::from_string(DbBackend::Postgres, "SHOW enable_seqscan");
    let row = session.query_one_raw(shown).await.expect("must show");
    let scans: String = row.expect("a row").try_get_by_index(0).expect("a text");
    assert_eq!(scans, "off");
    let shown = Statement::from_string(DbBackend::Postgres, "SHOW plan_cache_mode");
    let row = session.query_one_raw(shown).await.expect("must show");
    let mode: String = row.expect("a row").try_get_by_index(0).expect("a text");
    assert_eq!(mode, "force_generic_plan");

    let database = connect(&postgres()).await;
    let transaction = migrated(&database).await;
    transaction
        .execute_unprepared("SET LOCAL enable_seqscan = off")
        .await
        .expect("must set");
    finds_by_keys(&transaction).await;
    transaction.rollback().await.expect("must roll back");
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
        version: 1,
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
        pseudonym: "b1".into(),
    }
}

fn names(id: &str) -> account_names::Model {
    account_names::Model {
        user_id: id.into(),
        organization_id: "o".into(),
        username: String::new(),
        given_name: String::new(),
        family_name: String::new(),
        nick_name: String::new(),
        display_name: String::new(),
        email: String::new(),
    }
}

fn deleted(pseudonym: &str) -> deleted_accounts::Model {
    deleted_accounts::Model {
        pseudonym: pseudonym.into(),
        deleted_at: 1,
        until_at: 2,
    }
}

fn budget(pseudonym: &str) -> budgets::Model {
    budgets::Model {
        pseudonym: pseudonym.into(),
        state: "{}".into(),
        idle_at: None,
        version: 1,
        kind: "number".into(),
    }
}

fn message(id: &str) -> NewMessage {
    NewMessage {
        id: id.into(),
        user_id: "u1".into(),
        organization_id: "o".into(),
        number: "+1".into(),
        kind: "code".into(),
        challenge_id: None,
        round: 0,
        language: String::new(),
        created_at: 1,
        expires_at: 1,
        route: "r0".into(),
        due_at: 1,
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
        count: 1,
    }
}
