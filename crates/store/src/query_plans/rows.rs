//! What the tables hold where plans are looked at, and a row of each.

use sea_orm::{ConnectionTrait, DbBackend};

use crate::changes::NewMessage;
use crate::entity::{account_names, accounts, budgets, deleted_accounts, events, phone_numbers};

/// Fills a table by one row for each number from 1 to `rows`, whose columns are these.
fn fill(backend: DbBackend, rows: u32, table: &str, columns: &str) -> String {
    let numbers = match backend {
        DbBackend::Postgres => format!("generate_series(1, {rows}) AS s(n)"),
        _ => format!(
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) \
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

/// Tables worth an index: `rows` in each, of which the database knows what they are like.
pub(super) async fn filled(database: &impl ConnectionTrait, rows: u32) {
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
        fill(backend, rows, "accounts", &accounts),
        fill(backend, rows, "account_names", &names),
        fill(
            backend,
            rows,
            "phone_numbers",
            "id = 'p' || n; user_id = 'u' || n; organization_id = 'o'; number = '+' || n; \
             primary_number = true; created_at = n; changed_at = n",
        ),
        fill(
            backend,
            rows,
            "budgets",
            "pseudonym = 'b' || n; state = '{}'; idle_at = n",
        ),
        fill(
            backend,
            rows,
            "deleted_accounts",
            "pseudonym = 'd' || n; deleted_at = n; until_at = n",
        ),
        fill(
            backend,
            rows,
            "messages",
            "id = 'm' || n; user_id = 'u' || n; organization_id = 'o'; number = '+' || n; kind = 'code'; \
             language = ''; created_at = n; expires_at = n; due_at = n; attempts = 0; round = 0; \
             route = 'r' || n; state = 'queued'; trail = '[]'",
        ),
        fill(
            backend,
            rows,
            "events",
            "id = 'e' || n; user_id = 'u' || n; organization_id = 'o'; actor = 'a'; \
             kind = 'k'; sequence = n; at = n",
        ),
        fill(
            backend,
            rows,
            "journal",
            "position = n; id = 'e' || n; user_id = 'u' || n; organization_id = 'o'; actor = 'a'; \
             kind = 'k'; sequence = n; at = n; count = 1; commitment = 'c'; previous = 'p'; hash = 'h'",
        ),
        fill(
            backend,
            rows,
            "cursors",
            "name = 'c' || n; position = n; version = n",
        ),
        fill(
            backend,
            rows,
            "checkpoints",
            "organization_id = 'o' || n; position = n; at = n; count = n; root = 'r'; signature = 's'",
        ),
        fill(
            backend,
            rows,
            "guard_tallies",
            "name = 'prefix:' || n; state = '{}'; version = n; changed_at = n; idle_at = n",
        ),
        "ANALYZE".to_owned(),
    ];
    for sql in statements {
        database.execute_unprepared(&sql).await.expect(&sql);
    }
}

pub(super) fn account(id: &str) -> accounts::Model {
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

pub(super) fn phone(id: &str) -> phone_numbers::Model {
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

pub(super) fn names(id: &str) -> account_names::Model {
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

pub(super) fn deleted(pseudonym: &str) -> deleted_accounts::Model {
    deleted_accounts::Model {
        pseudonym: pseudonym.into(),
        deleted_at: 1,
        until_at: 2,
    }
}

pub(super) fn budget(pseudonym: &str) -> budgets::Model {
    budgets::Model {
        pseudonym: pseudonym.into(),
        state: "{}".into(),
        idle_at: None,
        version: 1,
        kind: "number".into(),
    }
}

pub(super) fn message(id: &str) -> NewMessage {
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
        attempts: 0,
        trail: "[]".into(),
    }
}

pub(super) fn event(id: &str) -> events::Model {
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
        detail: None,
    }
}
