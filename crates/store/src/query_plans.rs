//! Holds that every hot statement finds its rows by an index, on both databases, in tables worth one.

mod rows;

use ringback_core::delivery::State;
use ringback_core::rights::Scope;
use ringback_core::{Id, Number};
use rows::{account, budget, deleted, event, filled, message, names, phone};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    QueryTrait, Statement, TransactionTrait, Value,
};

use crate::changes::{Changes, TableChange};
use crate::dial::{BY_KEYS, Dialer, Purpose};
use crate::guard::{tallies_named, tallies_since};
use crate::history::questions;
use crate::journal::statements as journal;
use crate::migration;
use crate::receipts::by_reference;
use crate::sql::{Sql, Wanted};
use crate::{MessageQuery, Settings};

/// Rows in each table: enough for a planner to prefer an index.
const ROWS: u32 = 20_000;
/// As many as make a planner that does not know the parameters think twice.
const MANY: u32 = 50_000;

const TABLES: [&str; 11] = [
    "guard_tallies",
    "accounts",
    "account_names",
    "phone_numbers",
    "budgets",
    "deleted_accounts",
    "messages",
    "events",
    "journal",
    "cursors",
    "checkpoints",
];

/// Every statement that serves a request or a message, about one row of each table.
fn statements(sql: &Sql) -> Vec<Statement> {
    let (one, other) = (|| [("o", "u1")].into(), || ["u2"].into());
    let wanted = |exact, anywhere| Wanted { exact, anywhere };
    let exactly = wanted(one(), [].into());
    let anywhere = wanted([].into(), other());
    let either = wanted(one(), other());
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
        sql.accounts(&either).expect("must be built"),
        sql.what_decides(&exactly, ids("b1"), ids("d1"))
            .expect("must be built"),
        sql.what_decides(&anywhere, ids("b1"), ids("d1"))
            .expect("must be built"),
        sql.challenges(&exactly).expect("must be built"),
        sql.phones(&exactly).expect("must be built"),
        sql.claim("r1", 10, 20, 100),
        sql.remove_messages(r#"[{"id":"m1","attempts":1}]"#.into()),
        sql.settle_messages(r#"[{"id":"m1","due_at":20,"attempts":1,"route":"r2"}]"#.into()),
        by_reference("ref-1").build(sql.backend),
        tallies_named(["prefix:1".to_owned()].into_iter()).build(sql.backend),
        tallies_since(10).build(sql.backend),
        sql.purge_messages("m1", 500),
        sql.erase_numbers(10, 500),
        sql.purge_budgets(10, 500),
        sql.purge_deleted(10, 500),
    ];
    all.extend(journal::hot(sql.backend));
    let writes = changes.writes().expect("must be built");
    if sql.backend == DbBackend::Postgres {
        let settled = r#"[{"id":"m1","due_at":20,"attempts":1,"route":"r2"}]"#;
        let told = r#"[{"message":"m1","id":"e1","user_id":"u1","sequence":0}]"#;
        for change in [
            sql.settle_messages(settled.into()),
            sql.remove_messages(settled.into()),
        ] {
            all.push(sql.on_record(change, told.into()));
        }
        all.push(sql.writes.all(writes));
    } else {
        // A plan is that of the first statement of a text.
        all.extend(writes.into_iter().map(|write| sql.writes.all(vec![write])));
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

/// The plan that a connection of ours makes once of a prepared statement, for any parameters. PostgreSQL only.
async fn generic_plan(database: &impl ConnectionTrait, statement: &Statement) -> Vec<String> {
    let values = statement.values.iter().flat_map(|values| values.iter());
    let types: Vec<&str> = values.map(type_of).collect();
    let (nulls, types) = (vec!["NULL"; types.len()].join(", "), types.join(", "));
    let execute = |sql: String| async move {
        database.execute_unprepared(&sql).await.expect(&sql);
    };
    execute(format!("PREPARE generic ({types}) AS {}", statement.sql)).await;
    let prepared =
        Statement::from_string(DbBackend::Postgres, format!("EXECUTE generic ({nulls})"));
    let lines = plan(database, &prepared).await;
    execute("DEALLOCATE generic".to_owned()).await;
    lines
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::BigInt(_) | Value::BigUnsigned(_) => "bigint",
        Value::Array(..) => "text[]",
        other => panic!("no statement has such a parameter: {other:?}"),
    }
}

/// The steps of a plan that read a whole table, or the whole of one of its indexes.
fn reads_all(backend: DbBackend, plan: &[String]) -> Vec<&String> {
    let next = plan.iter().skip(1).map(String::as_str).chain([""]);
    let steps = plan.iter().zip(next).filter(|(step, next)| match backend {
        DbBackend::Postgres => {
            let by_index = [
                "Index Scan using",
                "Index Only Scan using",
                "Bitmap Index Scan",
            ];
            on_our_tables(step, "Seq Scan on ")
                || by_index.iter().any(|scan| step.contains(scan))
                    && !next.trim_start().starts_with("Index Cond:")
        }
        _ => on_our_tables(step, "SCAN ") && !step.contains("USING INDEX"),
    });
    steps.map(|(step, _)| step).collect()
}

/// The steps of a plan that read a statement's own rows once for each row of something else: PostgreSQL guesses how
/// many rows a parameter holds.
fn reads_again(plan: &[String]) -> Vec<&String> {
    let depth = |step: &str| step.len() - step.trim_start().len();
    let is_step = |step: &&String| step.trim_start().starts_with("->");
    let mut again = Vec::new();
    for (n, join) in plan.iter().enumerate() {
        if !join.contains("Nested Loop") {
            continue;
        }
        let below = plan[n + 1..].iter();
        let mut steps = below
            .take_while(|step| depth(step) > depth(join))
            .filter(is_step);
        let Some(first) = steps.next() else {
            continue;
        };
        let second = steps.find(|step| depth(step) == depth(first));
        let own = ["Function Scan", "CTE Scan"];
        again.extend(second.filter(|step| own.iter().any(|scan| step.contains(scan))));
    }
    again
}

fn on_our_tables(step: &str, scan: &str) -> bool {
    TABLES
        .iter()
        .any(|table| step.contains(&format!("{scan}{table}")))
}

/// No hot statement reads a whole table, or its own rows again and again.
async fn finds_by_keys(database: &impl ConnectionTrait) {
    let backend = database.get_database_backend();
    for statement in statements(&Sql::new(backend)) {
        let plan = plan(database, &statement).await;
        let all = [reads_all(backend, &plan), reads_again(&plan)].concat();
        assert!(all.is_empty(), "{all:?}\n{}", statement.sql);
    }
}

async fn check(database: &impl ConnectionTrait) {
    let backend = database.get_database_backend();
    filled(database, ROWS).await;
    if backend == DbBackend::Postgres {
        // As on every connection that finds by keys; undone with the transaction.
        database.execute_unprepared(BY_KEYS).await.expect(BY_KEYS);
    }
    finds_by_keys(database).await;
    // The check itself can fail.
    if backend == DbBackend::Postgres {
        let set = database.execute_unprepared("SET LOCAL enable_seqscan = on");
        set.await.expect("must set");
    }
    let whole = Statement::from_string(backend, "SELECT count(*) FROM accounts WHERE email = ''");
    let plan = plan(database, &whole).await;
    assert_eq!(reads_all(backend, &plan).len(), 1, "{plan:?}");
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("must connect")
}

#[tokio::test]
async fn hot_statements_use_an_index_on_sqlite() {
    let database = connect("sqlite::memory:").await;
    let transaction = database.begin().await.expect("must begin");
    migration::up(&transaction).await.expect("must migrate");
    check(&transaction).await;
}

#[tokio::test]
async fn hot_statements_use_an_index_on_postgres() {
    let database = connect(&ringback_testing::server()).await;
    let transaction = migrated(&database).await;
    check(&transaction).await;
    transaction.rollback().await.expect("must roll back");
}

/// A plan that is made while a table is small stays, so what is made for an empty one must do for any.
#[tokio::test]
async fn the_first_plan_of_an_empty_postgres_uses_an_index() {
    let settings = Settings {
        url: ringback_testing::server(),
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
    for (name, expected) in [
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("plan_cache_mode", "force_generic_plan"),
    ] {
        let shown = Statement::from_string(DbBackend::Postgres, format!("SHOW {name}"));
        let row = session.query_one_raw(shown).await.expect("must show");
        let value: String = row.expect("a row").try_get_by_index(0).expect("a text");
        assert_eq!(value, expected, "{name}");
    }

    let database = connect(&ringback_testing::server()).await;
    let transaction = migrated(&database).await;
    transaction
        .execute_unprepared(BY_KEYS)
        .await
        .expect(BY_KEYS);
    finds_by_keys(&transaction).await;
    transaction.rollback().await.expect("must roll back");
}

/// The plan that a connection keeps knows no parameters, and what it costs is guessed from how large the tables are.
#[tokio::test]
async fn the_plans_that_are_kept_for_many_rows_use_an_index_on_postgres() {
    let database = connect(&ringback_testing::server()).await;
    let transaction = migrated(&database).await;
    filled(&transaction, MANY).await;
    transaction
        .execute_unprepared(BY_KEYS)
        .await
        .expect(BY_KEYS);
    let sql = Sql::new(DbBackend::Postgres);
    for statement in statements(&sql) {
        let plan = generic_plan(&transaction, &statement).await;
        let all = [reads_all(DbBackend::Postgres, &plan), reads_again(&plan)].concat();
        assert!(all.is_empty(), "{all:?}\n{}", statement.sql);
    }
    // Those are plans for any parameters, and the check can fail.
    let purge = sql.purge_messages("m1", 500);
    let plan = generic_plan(&transaction, &purge).await;
    assert!(plan.iter().any(|step| step.contains("$1")), "{plan:?}");
    let by_name = "SELECT count(*) FROM accounts WHERE email = $1";
    let by_name = Statement::from_sql_and_values(DbBackend::Postgres, by_name, ["x".into()]);
    let plan = generic_plan(&transaction, &by_name).await;
    assert_eq!(reads_all(DbBackend::Postgres, &plan).len(), 1, "{plan:?}");
    transaction.rollback().await.expect("must roll back");
}

/// Tables in a schema that is never committed, so that nothing is left behind.
async fn migrated(database: &DatabaseConnection) -> DatabaseTransaction {
    let transaction = database.begin().await.expect("must begin");
    for sql in ["CREATE SCHEMA plans", "SET LOCAL search_path TO plans"] {
        transaction.execute_unprepared(sql).await.expect(sql);
    }
    migration::up(&transaction).await.expect("must migrate");
    transaction
}

/// However much is kept of messages, a list looks at no more than it may show.
#[tokio::test]
async fn lists_of_messages_use_an_index_that_fits_on_sqlite() {
    let database = connect("sqlite::memory:").await;
    let transaction = database.begin().await.expect("must begin");
    migration::up(&transaction).await.expect("must migrate");
    let all = MessageQuery {
        scope: Scope::Everywhere,
        account: None,
        number: None,
        state: None,
        before: Id::parse("0190a5d2-0000-7000-8000-000000000001"),
        limit: 50,
    };
    let of_user = MessageQuery {
        account: Some("u1".into()),
        ..all.clone()
    };
    let here = MessageQuery {
        scope: Scope::Organization("o".into()),
        ..all.clone()
    };
    let in_state = |state| MessageQuery {
        state: Some(state),
        ..here.clone()
    };
    let waits = "messages_waiting_by_id";
    for (query, indexes) in [
        (all.clone(), &[waits, "sqlite_autoindex_messages_1"][..]),
        (of_user.clone(), &[waits, "messages_by_user"]),
        (here.clone(), &[waits, "messages_by_organization"]),
        (in_state(State::Queued), &[waits]),
        (in_state(State::Failed), &["messages_gone_wrong"]),
        (in_state(State::Undelivered), &["messages_gone_wrong"]),
        (in_state(State::Delivered), &["messages_by_organization"]),
        (
            MessageQuery {
                number: Some(Number::from_stored("+41791234567")),
                ..here.clone()
            },
            &[waits, "messages_by_number"],
        ),
    ] {
        let questions = questions(&query, Some("p1"));
        assert_eq!(questions.len(), indexes.len(), "{query:?}");
        for (question, index) in questions.iter().zip(indexes) {
            let statement = question.build(DbBackend::Sqlite);
            let plan = plan(&transaction, &statement).await;
            assert!(plan[0].contains(index), "{plan:?}: {}", statement.sql);
        }
    }
}
