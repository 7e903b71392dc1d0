//! The journal's statements.

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Statement, Value};

use super::{Chained, Head};
use crate::entity::{cursors, journal};
use crate::fault::Fault;
use crate::table::Table;

/// The columns that an event brings along.
const OF_EVENTS: [&str; 12] = [
    "id",
    "user_id",
    "organization_id",
    "sequence",
    "at",
    "actor",
    "kind",
    "cause",
    "number_pseudonym",
    "number_mask",
    "count",
    "detail",
];

/// The columns that it gets.
const ADDED: [&str; 5] = ["position", "salt", "commitment", "previous", "hash"];

pub(super) fn with(backend: DbBackend, sql: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}

/// Texts as one parameter: an array for PostgreSQL.
fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    let texts = texts.map(Value::from).collect();
    Value::Array(ArrayType::String, Some(Box::new(texts)))
}

/// Somebody's row, by name.
pub(super) fn cursor(backend: DbBackend, name: &str) -> Statement {
    let columns = Table::of(cursors::Entity).names("");
    let sql = format!("SELECT {columns} FROM cursors WHERE name = $1");
    with(backend, sql, vec![name.into()])
}

/// PostgreSQL: events that wait, by user, after this one.
pub(super) fn waiting_by_user((user, id): (&str, &str), most: usize) -> Statement {
    let sql = format!(
        "SELECT {} FROM events WHERE (user_id, id) > ($1, $2) ORDER BY user_id, id LIMIT $3",
        OF_EVENTS.join(", ")
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    with(
        DbBackend::Postgres,
        sql,
        vec![user.into(), id.into(), most.into()],
    )
}

/// SQLite: the first events that wait, in the order in which they were committed, each with its `place` in it.
pub(super) fn waiting_in_turn(most: usize) -> Statement {
    let columns = OF_EVENTS.join(", ");
    let sql = format!(
        "SELECT rowid AS place, {columns} FROM events WHERE rowid > 0 ORDER BY rowid LIMIT $1"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    with(DbBackend::Sqlite, sql, vec![most.into()])
}

/// Organisation, user and the hash of the last event of each of these accounts, which is empty where there is none.
pub(super) fn last_hashes(
    backend: DbBackend,
    accounts: &[(&str, &str)],
) -> Result<Statement, Fault> {
    // A comparison, so that only the index by accounts has the order.
    let sql = |keys: &str| {
        format!(
            "SELECT k.organization_id, k.user_id, \
             (SELECT CASE WHEN j.organization_id = k.organization_id AND j.user_id = k.user_id \
             THEN j.hash END FROM journal AS j WHERE (j.organization_id, j.user_id, j.position) \
             <= (k.organization_id, k.user_id, 9223372036854775807) \
             ORDER BY j.organization_id DESC, j.user_id DESC, j.position DESC LIMIT 1) FROM {keys}"
        )
    };
    Ok(match backend {
        DbBackend::Postgres => with(
            backend,
            sql("unnest($1::text[], $2::text[]) AS k(organization_id, user_id)"),
            vec![
                texts(accounts.iter().map(|(organization, _)| *organization)),
                texts(accounts.iter().map(|(_, user)| *user)),
            ],
        ),
        _ => with(
            backend,
            sql(
                "(SELECT value ->> 0 AS organization_id, value ->> 1 AS user_id \
                 FROM json_each($1)) AS k",
            ),
            vec![serde_json::to_string(accounts)?.into()],
        ),
    })
}

/// Moves events to the end of the journal, whole or not at all. PostgreSQL: one statement that undoes itself
/// unless all of it holds. The cursor's row comes first: whoever loses waits for nothing else, and holds nothing.
pub(super) fn append_at_once(head: &Head, added: &[Chained], end: &Head) -> Statement {
    let column = |of: fn(&Chained) -> &str| texts(added.iter().map(of));
    let sql = format!(
        "WITH r AS MATERIALIZED (SELECT r.*, $10::bigint + r.n AS position \
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) \
         WITH ORDINALITY AS r(user_id, id, salt, commitment, previous, hash, n)), \
         moved AS (UPDATE cursors SET position = $7, version = version + 1, chain = $8, seal = $9 \
         WHERE name = 'journal' AND version = $11 RETURNING 1), \
         gone AS (DELETE FROM events USING r WHERE events.user_id = r.user_id AND events.id = r.id \
         AND EXISTS (SELECT 1 FROM moved) RETURNING {of_events}, {added}), \
         added AS (INSERT INTO journal ({names}) SELECT {names} FROM gone RETURNING 1) \
         SELECT 1 / CASE WHEN (SELECT count(*) FROM added) = $12 AND (SELECT count(*) FROM moved) = 1 \
         THEN 1 ELSE 0 END",
        of_events = OF_EVENTS.map(|name| format!("events.{name}")).join(", "),
        added = ADDED.map(|name| format!("r.{name}")).join(", "),
        names = [&OF_EVENTS[..], &ADDED[..]].concat().join(", "),
    );
    let values = vec![
        column(|row| &row.row.user_id),
        column(|row| &row.row.id),
        column(|row| &row.salt),
        column(|row| &row.commitment),
        column(|row| &row.previous),
        column(|row| &row.hash),
        end.position.into(),
        end.chain.as_str().into(),
        end.seal.as_str().into(),
        head.position.into(),
        head.version.into(),
        i64::try_from(added.len()).unwrap_or(i64::MAX).into(),
    ];
    with(DbBackend::Postgres, sql, values)
}

/// The same for SQLite: statements of one transaction, each with how many rows it must touch.
pub(super) fn append_in_turn(
    head: &Head,
    added: &[Chained],
    end: &Head,
) -> Result<[(Statement, Option<usize>); 3], Fault> {
    let backend = DbBackend::Sqlite;
    let rows = added
        .iter()
        .zip(head.position + 1..)
        .map(|(row, position)| {
            (
                row.place,
                &row.row.id,
                position,
                &row.salt,
                &row.commitment,
                &row.previous,
                &row.hash,
            )
        });
    let rows = serde_json::to_string(&rows.collect::<Vec<_>>())?;
    let added_values = (2..)
        .zip(ADDED)
        .map(|(n, name)| format!("value ->> {n} AS {name}"));
    // The place alone is not enough: it may have become another event's meanwhile.
    let add = format!(
        "INSERT INTO journal ({names}) SELECT {of_events}, {added} FROM (SELECT value ->> 0 AS place, \
         value ->> 1 AS id, {values} FROM json_each($1)) AS r CROSS JOIN events \
         ON events.rowid = r.place AND events.id = r.id",
        names = [&OF_EVENTS[..], &ADDED[..]].concat().join(", "),
        of_events = OF_EVENTS.map(|name| format!("events.{name}")).join(", "),
        added = ADDED.map(|name| format!("r.{name}")).join(", "),
        values = added_values.collect::<Vec<_>>().join(", "),
    );
    let remove = "DELETE FROM events WHERE rowid >= $1 AND rowid <= $2";
    let places = || added.iter().map(|row| row.place);
    let ends = [places().min(), places().max()].map(|place| place.unwrap_or(0).into());
    let moves = "UPDATE cursors SET position = $1, version = version + 1, chain = $2, seal = $3 \
                 WHERE name = 'journal' AND version = $4";
    let moved = vec![
        end.position.into(),
        end.chain.as_str().into(),
        end.seal.as_str().into(),
        head.version.into(),
    ];
    // The cursor first: whoever loses meets nothing else.
    Ok([
        (with(backend, moves, moved), Some(1)),
        (with(backend, add, vec![rows.into()]), Some(added.len())),
        (with(backend, remove, ends.into()), Some(added.len())),
    ])
}

/// The organisations that have events of this user: a step from one organisation to the next, and a look in each.
pub(super) fn organizations_of(backend: DbBackend, user: &str) -> Statement {
    let sql = "WITH RECURSIVE o(name) AS (SELECT min(organization_id) FROM journal UNION ALL \
               SELECT (SELECT min(organization_id) FROM journal WHERE organization_id > o.name) \
               FROM o WHERE o.name IS NOT NULL) SELECT o.name FROM o WHERE o.name IS NOT NULL \
               AND EXISTS (SELECT 1 FROM journal WHERE organization_id = o.name AND user_id = $1)";
    with(backend, sql, vec![user.into()])
}

/// Position, organisation and hash of rows after a position and up to another, in order.
pub(super) fn hashes(backend: DbBackend, after: i64, until: i64, most: i64) -> Statement {
    let sql = "SELECT position, organization_id, hash FROM journal \
               WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3";
    with(backend, sql, vec![after.into(), until.into(), most.into()])
}

/// A page of the journal after a position and up to another, in order.
pub(super) fn after(backend: DbBackend, after: i64, until: i64, most: i64) -> Statement {
    let names = Table::of(journal::Entity).names("");
    let sql = format!(
        "SELECT {names} FROM journal WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3"
    );
    with(backend, sql, vec![after.into(), until.into(), most.into()])
}

/// Organisation, user, position, hash before and hash of rows by account, after a place.
pub(super) fn by_account(
    backend: DbBackend,
    (organization, user, position): (&str, &str, i64),
    most: i64,
) -> Statement {
    let sql = "SELECT organization_id, user_id, position, previous, hash FROM journal \
               WHERE (organization_id, user_id, position) > ($1, $2, $3) \
               ORDER BY organization_id, user_id, position LIMIT $4";
    let values = vec![
        organization.into(),
        user.into(),
        position.into(),
        most.into(),
    ];
    with(backend, sql, values)
}

/// One of each that is asked for all the time.
#[cfg(test)]
pub(crate) fn hot(backend: DbBackend) -> Vec<Statement> {
    let head = Head {
        position: 20,
        version: 0,
        chain: String::new(),
        seal: String::new(),
    };
    let chained = Chained {
        place: 1,
        row: crate::entity::events::Model {
            id: "e1".into(),
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
        },
        salt: String::new(),
        commitment: String::new(),
        previous: String::new(),
        hash: String::new(),
    };
    let mut all = vec![
        cursor(backend, "journal"),
        match backend {
            DbBackend::Postgres => waiting_by_user(("u1", "e1"), 1_000),
            _ => waiting_in_turn(1_000),
        },
        last_hashes(backend, &[("o", "u1")]).expect("must be built"),
        hashes(backend, 1, 20, 100),
        after(backend, 1, 20, 100),
        by_account(backend, ("o", "u1", 1), 100),
        organizations_of(backend, "u1"),
        super::signed::last_checkpoint(backend, "o", 20),
    ];
    match backend {
        DbBackend::Postgres => all.push(append_at_once(&head, &[chained], &head)),
        _ => {
            let statements = append_in_turn(&head, &[chained], &head).expect("must be built");
            all.extend(statements.map(|(statement, _)| statement));
        }
    }
    all
}
