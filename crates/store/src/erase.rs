//! A user is forgotten: the account, and every trace of it in other tables.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ringback_core::{Account, Action, Caller, Command, Refusal, Time};
use sea_orm::sea_query::Query;
use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Statement,
};

use crate::Store;
use crate::checkpoint::TO_ITS_END;
use crate::entity::{budgets, events, journal, messages, phone_numbers};
use crate::fault::Fault;

/// How long it is tried to cut SQLite's log at once; whoever still reads it may keep it for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// That a user was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The organisation.
    pub organization: String,
    /// When.
    pub at: Time,
    /// Whether there was an account.
    pub was_there: bool,
    /// Whether nothing can be left in unused room of an SQLite file: of a large one not before [`Store::compact`].
    pub is_whole: bool,
}

impl Store {
    /// Deletes an account and every trace of its user: messages, what was used up for its numbers, and who the user
    /// was in what is on record. What stays is a keyed pseudonym of the account for as long as a token from before
    /// may be valid, and opt-outs, which belong to the numbers. Doing it again, also for a user who is
    /// not known, looks once more.
    ///
    /// # Errors
    /// [`Refusal::AccountNotFound`], [`Refusal::PermissionDenied`], [`Refusal::AccountAmbiguous`];
    /// [`Refusal::Unavailable`], when some of it may be done: it is to be asked for again.
    pub async fn erase(
        &self,
        caller: &Caller,
        id: &str,
        deadline: Option<Instant>,
    ) -> Result<Erased, Refusal> {
        let command = Command {
            caller: caller.clone(),
            account: id.to_owned(),
            action: Action::Erase,
        };
        let account = self.execute(command, deadline).await?.account;
        let health = &self.shared.dialer.health;
        let swept = self.sweep(&account).await;
        swept.map_err(|fault| health.report(&fault, "erasing a user"))?;
        self.erase_events(&account.organization, id).await?;
        let is_whole = self.compact_small().await;
        self.cut_log().await;
        Ok(Erased {
            is_whole,
            at: self.now(),
            was_there: account.sequence > 0,
            organization: account.organization,
        })
    }

    /// Budgets first, which are found by what is on record; then messages.
    async fn sweep(&self, account: &Account) -> Result<(), Fault> {
        let (organization, user) = (&account.organization, &account.id);
        let pseudonyms = self.pseudonyms(account).await?;
        let backend = self.shared.sql.backend;
        for some in pseudonyms.chunks(500) {
            // What others have used up of a number that they hold, too, goes on counting.
            let held = Query::select()
                .column(phone_numbers::Column::Pseudonym)
                .from(phone_numbers::Entity)
                .and_where(phone_numbers::Column::Number.is_in(self.numbers_of(account)))
                .to_owned();
            let gone = budgets::Entity::delete_many()
                .filter(budgets::Column::Pseudonym.is_in(some))
                .filter(budgets::Column::Pseudonym.not_in_subquery(held))
                .build(backend);
            self.change(gone, &[]).await?;
        }
        // What waits and what does not have indexes of their own. First what waits: it may end meanwhile.
        let of = || {
            Condition::all()
                .add(messages::Column::OrganizationId.eq(organization))
                .add(messages::Column::UserId.eq(user))
        };
        for state in [
            messages::Column::DueAt.is_not_null(),
            messages::Column::DueAt.is_null(),
        ] {
            let gone = messages::Entity::delete_many().filter(of().add(state));
            self.change(gone.build(backend), &[]).await?;
        }
        Ok(())
    }

    fn numbers_of(&self, account: &Account) -> Vec<String> {
        let phones = account.phones.iter();
        phones
            .map(|phone| phone.number.as_str().to_owned())
            .collect()
    }

    /// Those of all numbers that the account had as far as something is kept of it.
    async fn pseudonyms(&self, account: &Account) -> Result<Vec<String>, Fault> {
        let keys = &self.shared.rules.keys;
        let phones = account.phones.iter();
        let mut all: BTreeSet<String> = phones.map(|phone| keys.pseudonym(&phone.number)).collect();
        all.extend(account.limits.numbers.keys().cloned());
        let backend = self.shared.sql.backend;
        // What waits first: it may go on record meanwhile.
        let waiting = events::Entity::find()
            .filter(events::Column::OrganizationId.eq(&account.organization))
            .filter(events::Column::UserId.eq(&account.id))
            .filter(events::Column::NumberPseudonym.is_not_null())
            .select_only()
            .column(events::Column::NumberPseudonym)
            .distinct();
        let on_record = journal::Entity::find()
            .filter(journal::Column::OrganizationId.eq(&account.organization))
            .filter(journal::Column::UserId.eq(&account.id))
            .filter(journal::Column::NumberPseudonym.is_not_null())
            .select_only()
            .column(journal::Column::NumberPseudonym)
            .distinct();
        let sent = messages::Entity::find()
            .filter(messages::Column::OrganizationId.eq(&account.organization))
            .filter(messages::Column::UserId.eq(&account.id))
            .filter(messages::Column::NumberPseudonym.is_not_null())
            .filter(messages::Column::DueAt.is_null())
            .select_only()
            .column(messages::Column::NumberPseudonym)
            .distinct();
        for question in [
            waiting.build(backend),
            on_record.build(backend),
            sent.build(backend),
        ] {
            for row in self.rows_of(question).await? {
                all.extend(row.try_get_by_index::<Option<String>>(0)?);
            }
        }
        Ok(all.into_iter().collect())
    }

    /// Copies SQLite's log into the database and cuts it to nothing, so that what was overwritten there is gone here,
    /// too.
    async fn cut_log(&self) {
        if self.shared.sql.backend != DbBackend::Sqlite {
            return;
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let asked = Statement::from_string(DbBackend::Sqlite, TO_ITS_END);
            let busy = match self.rows_of(asked).await {
                Ok(rows) => rows
                    .first()
                    .is_none_or(|row| row.try_get_by_index(0) != Ok(0)),
                Err(_) => true,
            };
            if !busy {
                return;
            }
            if Instant::now() >= until {
                // It is tried again whenever nothing was written for some seconds.
                tracing::warn!(
                    "somebody reads SQLite's log, which holds what was erased until that ends"
                );
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
