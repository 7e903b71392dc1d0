//! An account is an organisation and a user id, in every table; and what is remembered of deleted ones.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct Organizations;

/// SQLite cannot change a table's key, so the two tables are made again. The key's user id comes first: it
/// finds an account of any organisation, too.
const SQLITE: [&str; 14] = [
    "CREATE TABLE accounts_4 (user_id text NOT NULL, organization_id text NOT NULL, \
     sequence integer NOT NULL, created_at integer NOT NULL, changed_at integer NOT NULL, \
     username text NOT NULL, given_name text NOT NULL, family_name text NOT NULL, \
     nick_name text NOT NULL, display_name text NOT NULL, preferred_language text NOT NULL, \
     gender integer NOT NULL, email text NOT NULL, email_verified boolean NOT NULL, \
     challenges text NOT NULL, limits text NOT NULL, version integer NOT NULL DEFAULT 0, \
     PRIMARY KEY (user_id, organization_id))",
    "INSERT INTO accounts_4 SELECT user_id, organization_id, sequence, created_at, changed_at, \
     username, given_name, family_name, nick_name, display_name, preferred_language, gender, \
     email, email_verified, challenges, limits, version FROM accounts",
    "CREATE TABLE account_names_4 (user_id text NOT NULL, organization_id text NOT NULL, \
     username text NOT NULL, given_name text NOT NULL, family_name text NOT NULL, \
     nick_name text NOT NULL, display_name text NOT NULL, email text NOT NULL, \
     PRIMARY KEY (user_id, organization_id))",
    "INSERT INTO account_names_4 SELECT n.user_id, a.organization_id, n.username, n.given_name, \
     n.family_name, n.nick_name, n.display_name, n.email \
     FROM account_names n JOIN accounts a ON a.user_id = n.user_id",
    "ALTER TABLE outbox ADD COLUMN organization_id text NOT NULL DEFAULT ''",
    "UPDATE outbox SET organization_id = a.organization_id FROM accounts a \
     WHERE a.user_id = outbox.user_id",
    "DROP TABLE accounts",
    "DROP TABLE account_names",
    "ALTER TABLE accounts_4 RENAME TO accounts",
    "ALTER TABLE account_names_4 RENAME TO account_names",
    "CREATE INDEX accounts_by_organization ON accounts (organization_id, created_at, user_id)",
    "CREATE INDEX accounts_by_creation ON accounts (created_at, user_id)",
    "DROP INDEX phone_numbers_by_user",
    "CREATE INDEX phone_numbers_by_account ON phone_numbers (user_id, organization_id)",
];

const POSTGRES: [&str; 11] = [
    "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey",
    "ALTER TABLE accounts ADD PRIMARY KEY (user_id, organization_id)",
    "ALTER TABLE account_names ADD COLUMN organization_id text COLLATE \"C\" NOT NULL DEFAULT ''",
    "UPDATE account_names SET organization_id = a.organization_id FROM accounts a \
     WHERE a.user_id = account_names.user_id",
    "ALTER TABLE account_names DROP CONSTRAINT account_names_pkey",
    "ALTER TABLE account_names ADD PRIMARY KEY (user_id, organization_id)",
    "ALTER TABLE account_names ALTER COLUMN organization_id DROP DEFAULT",
    "ALTER TABLE outbox ADD COLUMN organization_id text COLLATE \"C\" NOT NULL DEFAULT ''",
    "UPDATE outbox SET organization_id = a.organization_id FROM accounts a \
     WHERE a.user_id = outbox.user_id",
    "DROP INDEX phone_numbers_by_user",
    "CREATE INDEX phone_numbers_by_account ON phone_numbers (user_id, organization_id)",
];

#[async_trait::async_trait]
impl Step for Organizations {
    fn name(&self) -> &'static str {
        "m0004_organizations"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let (steps, text, number) = match database.get_database_backend() {
            DbBackend::Postgres => (&POSTGRES[..], "text COLLATE \"C\"", "bigint"),
            _ => (&SQLITE[..], "text", "integer"),
        };
        for sql in steps {
            database.execute_unprepared(sql).await?;
        }
        for sql in [
            format!(
                "CREATE TABLE deleted_accounts (pseudonym {text} NOT NULL PRIMARY KEY, \
                 deleted_at {number} NOT NULL, until_at {number} NOT NULL)"
            ),
            "CREATE INDEX deleted_accounts_by_end ON deleted_accounts (until_at)".to_owned(),
            // What was there before tells accounts apart by the user id alone.
            "UPDATE schema_version SET needs_at_least = 4".to_owned(),
        ] {
            database.execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}
