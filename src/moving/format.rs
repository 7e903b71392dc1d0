//! What a file is, told by its first lines.

use std::str;

use serde_json::Value;

use super::table::first_record;

/// How much of a file is looked at to tell what it is.
pub(super) const PEEKED: usize = 64 * 1024;

/// Whose form a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// ringback's own, an object a line
    Ndjson,
    /// ringback's own, a table with a row a number
    Csv,
    /// Auth0's users export: an object a line, or a table
    Auth0,
    /// Firebase's auth:export: JSON or a table
    Firebase,
    /// Cognito's list-users, or the table of its import
    Cognito,
    /// Clerk's export: a table, or the users of its API
    Clerk,
}

/// How users stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A JSON object a line.
    Lines,
    /// JSON objects in a list that is the document or a member of it.
    Documents,
    /// CSV.
    Table,
}

/// What a file is that begins like this, as far as it was not said; none when nobody knows.
pub(super) fn detect(head: &[u8], said: Option<Format>) -> Option<(Format, Shape)> {
    let begin = head.iter().find(|byte| !byte.is_ascii_whitespace());
    let shape = match begin {
        Some(b'[') => Shape::Documents,
        Some(b'{') => object_shape(head),
        _ => Shape::Table,
    };
    let format = match (said, shape) {
        (Some(format), _) => format,
        (None, Shape::Table) => of_table(head)?,
        (None, Shape::Lines | Shape::Documents) => of_json(head)?,
    };
    Some(match (format, shape) {
        // The only difference that matters is where one user ends.
        (Format::Csv, Shape::Lines | Shape::Documents) => (Format::Ndjson, shape),
        (Format::Ndjson, Shape::Table) if said.is_none() => (Format::Csv, shape),
        // Then every line is wrong, and is told so.
        (Format::Ndjson, Shape::Table) => (format, Shape::Lines),
        (Format::Ndjson | Format::Auth0, Shape::Documents) if begin == Some(&b'{') => {
            (format, Shape::Lines)
        }
        _ => (format, shape),
    })
}

/// Lines hold a whole object each; a document is one object, which holds a list of them.
fn object_shape(head: &[u8]) -> Shape {
    let first = head
        .split(|byte| *byte == b'\n')
        .find(|line| !line.trim_ascii().is_empty());
    let first: Option<Value> = first.and_then(|line| serde_json::from_slice(line).ok());
    match first {
        Some(object) if LISTS.iter().any(|(list, _)| object[*list].is_array()) => Shape::Documents,
        Some(_) => Shape::Lines,
        None => Shape::Documents,
    }
}

/// Where other services keep their users.
const LISTS: [(&str, Format); 3] = [
    ("users", Format::Firebase),
    ("Users", Format::Cognito),
    ("data", Format::Clerk),
];

/// Recognized by the name that comes first among those that differ from format to format.
fn of_json(head: &[u8]) -> Option<Format> {
    const NAMES: [(&str, Format); 9] = [
        ("\"userId\"", Format::Ndjson),
        ("\"organizationId\"", Format::Ndjson),
        ("\"localId\"", Format::Firebase),
        ("\"users\"", Format::Firebase),
        ("\"Users\"", Format::Cognito),
        ("\"Attributes\"", Format::Cognito),
        ("\"user_id\"", Format::Auth0),
        ("\"phone_numbers\"", Format::Clerk),
        ("\"primary_phone_number_id\"", Format::Clerk),
    ];
    let text = String::from_utf8_lossy(head);
    let found = NAMES
        .iter()
        .filter_map(|(name, format)| Some((text.find(name)?, *format)));
    found.min_by_key(|(at, _)| *at).map(|(_, format)| format)
}

fn of_table(head: &[u8]) -> Option<Format> {
    str::from_utf8(head.get(..1)?).ok()?;
    let columns = first_record(head)?;
    let has = |name: &str| columns.iter().any(|column| column == name);
    if has("cognito:username") {
        Some(Format::Cognito)
    } else if has("primary_phone_number") || has("password_hasher") {
        Some(Format::Clerk)
    } else if has("user_id") && !has("phone") {
        Some(Format::Auth0)
    } else if columns
        .iter()
        .any(|column| super::own::is_user_column(column))
    {
        Some(Format::Csv)
    } else if columns.len() >= 26 {
        Some(Format::Firebase)
    } else {
        None
    }
}
