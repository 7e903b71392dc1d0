//! The first tables.

use sea_orm::sea_query::{ColumnDef, Index, Table};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, DeriveIden};

use super::Step;

pub(super) struct Tables;

#[derive(DeriveIden)]
enum Accounts {
    Table,
    UserId,
    OrganizationId,
    Sequence,
    CreatedAt,
    ChangedAt,
    Username,
    GivenName,
    FamilyName,
    NickName,
    DisplayName,
    PreferredLanguage,
    Gender,
    Email,
    EmailVerified,
    Challenges,
    Limits,
}

#[derive(DeriveIden)]
enum PhoneNumbers {
    Table,
    Id,
    UserId,
    OrganizationId,
    Number,
    PrimaryNumber,
    Pending,
    VerifiedAt,
    CreatedAt,
    ChangedAt,
}

#[derive(DeriveIden)]
enum Budgets {
    Table,
    Pseudonym,
    State,
    IdleAt,
}

#[derive(DeriveIden)]
enum Outbox {
    Table,
    Id,
    UserId,
    Number,
    Kind,
    ChallengeId,
    Language,
    CreatedAt,
    ExpiresAt,
    DueAt,
    Attempts,
}

#[derive(DeriveIden)]
enum Events {
    Table,
    Id,
    UserId,
    OrganizationId,
    Sequence,
    At,
    Actor,
    Kind,
    Cause,
    NumberPseudonym,
    NumberMask,
}

#[async_trait::async_trait]
impl Step for Tables {
    fn name(&self) -> &'static str {
        "m0001_tables"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let backend = database.get_database_backend();
        // Texts are ordered by bytes on both databases, whatever the server's locale: keyset pages and
        // number prefixes rely on it.
        let text = |name: &dyn Fn() -> ColumnDef| -> ColumnDef {
            let mut column = name();
            column.text().not_null();
            if backend == DbBackend::Postgres {
                column.extra("COLLATE \"C\"");
            }
            column
        };
        let optional_text = |name: &dyn Fn() -> ColumnDef| -> ColumnDef {
            let mut column = name();
            column.text().null();
            if backend == DbBackend::Postgres {
                column.extra("COLLATE \"C\"");
            }
            column
        };
        macro_rules! texts {
            ($table:ident, $($column:ident),+) => {
                [$(text(&|| ColumnDef::new($table::$column))),+]
            };
        }
        let big = |mut column: ColumnDef| {
            column.big_integer().not_null();
            column
        };

        // A row that finds room for its next version on its own page needs no new index entries.
        let room_for_updates = match backend {
            DbBackend::Postgres => "WITH (fillfactor = 80)",
            _ => "",
        };

        let mut accounts = Table::create();
        accounts.table(Accounts::Table);
        accounts.col(text(&|| ColumnDef::new(Accounts::UserId)).primary_key());
        for column in texts!(
            Accounts,
            OrganizationId,
            Username,
            GivenName,
            FamilyName,
            NickName,
            DisplayName,
            PreferredLanguage,
            Email,
            Challenges,
            Limits
        ) {
            accounts.col(column);
        }
        accounts.col(big(ColumnDef::new(Accounts::Sequence)));
        accounts.col(big(ColumnDef::new(Accounts::CreatedAt)));
        accounts.col(big(ColumnDef::new(Accounts::ChangedAt)));
        accounts.col(ColumnDef::new(Accounts::Gender).integer().not_null());
        accounts.col(ColumnDef::new(Accounts::EmailVerified).boolean().not_null());
        accounts.extra(room_for_updates);
        database.execute(&accounts).await?;

        let mut phones = Table::create();
        phones.table(PhoneNumbers::Table);
        phones.col(text(&|| ColumnDef::new(PhoneNumbers::Id)).primary_key());
        for column in texts!(PhoneNumbers, UserId, OrganizationId, Number) {
            phones.col(column);
        }
        phones.col(
            ColumnDef::new(PhoneNumbers::PrimaryNumber)
                .boolean()
                .not_null(),
        );
        phones.col(optional_text(&|| ColumnDef::new(PhoneNumbers::Pending)));
        phones.col(
            ColumnDef::new(PhoneNumbers::VerifiedAt)
                .big_integer()
                .null(),
        );
        phones.col(big(ColumnDef::new(PhoneNumbers::CreatedAt)));
        phones.col(big(ColumnDef::new(PhoneNumbers::ChangedAt)));
        phones.extra(room_for_updates);
        database.execute(&phones).await?;

        let mut budgets = Table::create();
        budgets.table(Budgets::Table);
        budgets.col(text(&|| ColumnDef::new(Budgets::Pseudonym)).primary_key());
        budgets.col(text(&|| ColumnDef::new(Budgets::State)));
        budgets.col(ColumnDef::new(Budgets::IdleAt).big_integer().null());
        budgets.extra(room_for_updates);
        database.execute(&budgets).await?;

        let mut outbox = Table::create();
        outbox.table(Outbox::Table);
        outbox.col(text(&|| ColumnDef::new(Outbox::Id)).primary_key());
        for column in texts!(Outbox, UserId, Number, Kind, Language) {
            outbox.col(column);
        }
        outbox.col(optional_text(&|| ColumnDef::new(Outbox::ChallengeId)));
        outbox.col(big(ColumnDef::new(Outbox::CreatedAt)));
        outbox.col(big(ColumnDef::new(Outbox::ExpiresAt)));
        outbox.col(big(ColumnDef::new(Outbox::DueAt)));
        outbox.col(ColumnDef::new(Outbox::Attempts).integer().not_null());
        database.execute(&outbox).await?;

        let mut events = Table::create();
        events.table(Events::Table);
        events.col(text(&|| ColumnDef::new(Events::Id)));
        for column in texts!(Events, UserId, OrganizationId, Actor, Kind) {
            events.col(column);
        }
        events.col(big(ColumnDef::new(Events::Sequence)));
        events.col(big(ColumnDef::new(Events::At)));
        events.col(optional_text(&|| ColumnDef::new(Events::Cause)));
        events.col(optional_text(&|| ColumnDef::new(Events::NumberPseudonym)));
        events.col(optional_text(&|| ColumnDef::new(Events::NumberMask)));
        // Ids are ordered by time, so the key is also the order of an account's events.
        events.primary_key(Index::create().col(Events::UserId).col(Events::Id));
        database.execute(&events).await?;

        let mut by_organization = Index::create();
        by_organization
            .name("accounts_by_organization")
            .table(Accounts::Table)
            .col(Accounts::OrganizationId)
            .col(Accounts::CreatedAt)
            .col(Accounts::UserId);
        let mut by_creation = Index::create();
        by_creation
            .name("accounts_by_creation")
            .table(Accounts::Table)
            .col(Accounts::CreatedAt)
            .col(Accounts::UserId);
        let mut by_scope = Index::create();
        by_scope
            .name("phone_numbers_by_organization")
            .table(PhoneNumbers::Table)
            .col(PhoneNumbers::OrganizationId)
            .col(PhoneNumbers::Id);
        let mut by_user = Index::create();
        by_user
            .name("phone_numbers_by_user")
            .table(PhoneNumbers::Table)
            .col(PhoneNumbers::UserId);
        let mut by_number = Index::create();
        by_number
            .name("phone_numbers_by_number")
            .table(PhoneNumbers::Table)
            .col(PhoneNumbers::Number)
            .col(PhoneNumbers::Id);
        let mut by_idle = Index::create();
        by_idle
            .name("budgets_by_idle_at")
            .table(Budgets::Table)
            .col(Budgets::IdleAt);
        let mut by_due = Index::create();
        by_due
            .name("outbox_by_due_at")
            .table(Outbox::Table)
            .col(Outbox::DueAt);
        for index in [
            by_organization,
            by_creation,
            by_scope,
            by_user,
            by_number,
            by_idle,
            by_due,
        ] {
            database.execute(&index).await?;
        }
        Ok(())
    }
}
