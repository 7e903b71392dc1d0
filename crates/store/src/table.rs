//! What the statements need to know of a table, read off its entity: a new column is added there.

use sea_orm::sea_query::{ColumnType, Iden};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, Iterable, PrimaryKeyToColumn};

/// The column that guards a row: it counts the row's changes, and a change names the count that it saw.
pub(crate) const VERSION: &str = "version";

/// A table's columns, in the order of the entity's fields.
pub(crate) struct Table {
    pub(crate) name: String,
    /// Names and PostgreSQL types.
    pub(crate) columns: Vec<(String, &'static str)>,
    /// What tells rows apart.
    pub(crate) key: Vec<String>,
}

impl Table {
    pub(crate) fn of<E: EntityTrait>(entity: E) -> Table {
        let key = E::PrimaryKey::iter()
            .map(|key| Iden::to_string(&key.into_column()))
            .collect();
        Table {
            name: entity.table_name().to_owned(),
            columns: E::Column::iter()
                .map(|column| (Iden::to_string(&column), kind(column)))
                .collect(),
            key,
        }
    }

    /// Whether a row's changes are counted.
    pub(crate) fn guarded(&self) -> bool {
        self.columns.iter().any(|(name, _)| name == VERSION)
    }

    /// The names of all columns, each after `prefix`.
    pub(crate) fn names(&self, prefix: &str) -> String {
        let names: Vec<_> = self
            .columns
            .iter()
            .map(|(name, _)| format!("{prefix}{name}"))
            .collect();
        names.join(", ")
    }

    /// A row as a JSON array of its columns, in their order.
    pub(crate) fn as_json(&self, backend: DbBackend) -> String {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|(name, kind)| match (backend, *kind) {
                // SQLite's booleans are numbers.
                (DbBackend::Sqlite, "boolean") => {
                    format!("json(iif({}.{name}, 'true', 'false'))", self.name)
                }
                _ => format!("{}.{name}", self.name),
            })
            .collect();
        json_array(backend, &columns.join(", "))
    }

    /// A table expression `r` over the rows that parameter `n` holds as JSON, with these columns of them.
    pub(crate) fn source(
        &self,
        backend: DbBackend,
        n: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> String {
        let columns: Vec<_> = self
            .columns
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, kind)| match backend {
                DbBackend::Postgres => format!("{name} {kind}"),
                _ => format!("value ->> '$.{name}' AS {name}"),
            })
            .collect();
        let columns = columns.join(", ");
        match backend {
            DbBackend::Postgres => format!("json_to_recordset(${n}::json) AS r({columns})"),
            _ => format!("(SELECT {columns} FROM jsonb_each(${n})) AS r"),
        }
    }
}

fn kind<C: ColumnTrait>(column: C) -> &'static str {
    match column.def().get_column_type() {
        ColumnType::BigInteger => "bigint",
        ColumnType::Integer => "integer",
        ColumnType::Boolean => "boolean",
        _ => "text",
    }
}

/// These values as one JSON array.
pub(crate) fn json_array(backend: DbBackend, values: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("json_build_array({values})"),
        _ => format!("json_array({values})"),
    }
}

/// This value of all rows as one JSON array.
pub(crate) fn json_list(backend: DbBackend, value: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("coalesce(json_agg({value}), '[]')"),
        _ => format!("json_group_array({value})"),
    }
}
