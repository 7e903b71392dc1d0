//! Accounts by the thousand: read in order, and brought over from elsewhere.

mod incoming;

use std::collections::{HashMap, HashSet};

use ringback_core::event::EventKind;
use ringback_core::moment::SeededIds;
use ringback_core::{Account, Event, Id, Refusal};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};

pub use incoming::{Incoming, IncomingPhone, IncomingState};

use crate::batch::{begin, end_as};
use crate::changes::Changes;
use crate::dial::Purpose;
use crate::entity::{accounts, budgets, deleted_accounts, opt_outs};
use crate::fault::Fault;
use crate::line::Line;
use crate::load::{Found, Key, accounts as load_accounts, one_text};
use crate::session::Session;
use crate::sql::Wanted;
use crate::{Store, rows};

/// How often a batch is tried against others who write the same accounts.
const TRIES: u32 = 20;

/// Who the events of imported accounts name.
const ACTOR: &str = "ringback import";

/// What became of an incoming account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It was not there, and is now.
    Added,
    /// It was there already, as it was told.
    Equal,
    /// There is another one under its organisation and user id, which was left alone.
    Differs,
    /// It was deleted so short a time ago that it does not come back this way.
    Deleted,
}

/// Accounts in order, read page by page: each as it is at one moment, which is not the same one for all.
pub struct Accounts {
    store: Store,
    line: Line,
    organization: Option<String>,
    after: Option<(String, String)>,
}

impl Accounts {
    /// The next ones, by user id and organisation in the order of their bytes; none at the end.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`], [`Refusal::DeadlineExceeded`].
    pub async fn next(&mut self, most: u32) -> Result<Vec<Account>, Refusal> {
        let read = loop {
            let taken = match self.line.take().await {
                Ok(taken) => taken,
                Err(fault) => break Err(fault),
            };
            // An account that is deleted between the two questions must not make a page look like the end.
            let page = self.page(&taken.session, most);
            let page = taken.within(taken.session.at_one_moment(page)).await;
            if let Some(page) = self.line.read(taken, page) {
                break page;
            }
        };
        let health = &self.store.shared.dialer.health;
        let page = read.map_err(|fault| health.report(&fault, "reading accounts"))?;
        if let Some(last) = page.last() {
            self.after = Some((last.id.clone(), last.organization.clone()));
        }
        Ok(page)
    }

    async fn page(&self, session: &Session, most: u32) -> Result<Vec<Account>, Fault> {
        use accounts::Column;
        let shared = &self.store.shared;
        let mut wanted = accounts::Entity::find()
            .select_only()
            .columns([Column::OrganizationId, Column::UserId])
            .order_by_asc(Column::UserId)
            .order_by_asc(Column::OrganizationId)
            .limit(u64::from(most));
        if let Some(organization) = &self.organization {
            wanted = wanted.filter(Column::OrganizationId.eq(organization));
        }
        if let Some((id, organization)) = &self.after {
            let key = [Column::UserId, Column::OrganizationId].map(Expr::column);
            let last = [id, organization].map(|text| Expr::value(text.clone()));
            wanted = wanted.filter(Expr::tuple(key).gt(Expr::tuple(last)));
        }
        let found = session
            .query_all_raw(wanted.build(shared.sql.backend))
            .await?;
        let keys = found.iter().map(|row| Ok(row.try_get_many_by_index()?));
        let keys = keys.collect::<Result<Vec<(String, String)>, Fault>>()?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let exact = keys
            .iter()
            .map(|(organization, id)| (organization.as_str(), id.as_str()));
        let wanted = Wanted {
            exact: exact.collect(),
            ..Wanted::default()
        };
        let mut page = load_accounts(shared, session, &wanted).await?;
        page.sort_by(|a, b| (&a.id, &a.organization).cmp(&(&b.id, &b.organization)));
        Ok(page)
    }
}

impl Store {
    /// All accounts, or those of one organisation, in order. For whoever has the database to work with, not for
    /// requests.
    pub fn accounts(&self, organization: Option<&str>) -> Accounts {
        Accounts {
            store: self.clone(),
            line: Line::new(self.shared.dialer.clone(), Purpose::Lists),
            organization: organization.map(str::to_owned),
            after: None,
        }
    }

    /// Brings accounts over that are not there yet, all of them in one transaction, and says of each what became
    /// of it. With `dry` nothing is written.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`], [`Refusal::Internal`]: none of them was written, or it is not known.
    pub async fn import(&self, incoming: &[Incoming], dry: bool) -> Result<Vec<Imported>, Refusal> {
        let mut tries = 0;
        loop {
            let done = match (dry, self.shared.sql.backend) {
                (true, _) => self.import_in(incoming, Write::Not).await,
                (false, DbBackend::Postgres) => self.import_in(incoming, Write::AtOnce).await,
                (false, _) => self.import_in(incoming, Write::InTurn).await,
            };
            match done {
                Err(Fault::Conflict(_)) if tries < TRIES => tries += 1,
                done => {
                    let health = &self.shared.dialer.health;
                    return done.map_err(|fault| health.report(&fault, "importing accounts"));
                }
            }
        }
    }

    async fn import_in(&self, incoming: &[Incoming], write: Write) -> Result<Vec<Imported>, Fault> {
        let shared = &self.shared;
        let mut line = self.jobs.lock().await;
        let taken = line.take().await?;
        let session = &taken.session;
        let work = async {
            if write == Write::InTurn {
                begin(session).await?;
            }
            let done = async {
                let (told, changes) = self.decide_import(session, incoming).await?;
                let touched = match write {
                    Write::Not => 0,
                    Write::AtOnce | Write::InTurn => {
                        shared.sql.writes.write(session, changes.writes()?).await?
                    }
                };
                Ok((told, touched))
            };
            let done = done.await;
            match write {
                Write::InTurn => end_as(session, done).await,
                Write::AtOnce | Write::Not => done,
            }
        };
        let (epoch, done) = (taken.epoch, taken.within(work).await);
        if let Err(fault) = &done {
            shared.failed(fault);
        }
        let (told, touched) = line.done(taken, done)?;
        if write != Write::Not {
            shared.wrote(epoch, touched, &[]);
        }
        Ok(told)
    }

    /// Compares with what is there, and says what is to be written.
    async fn decide_import(
        &self,
        session: &Session,
        incoming: &[Incoming],
    ) -> Result<(Vec<Imported>, Changes), Fault> {
        let mut there = self.what_is_there(session, incoming).await?;
        let now = self.now();
        let mut fresh = SeededIds::of(now, (self.shared.source.seed)());
        let keys = &self.shared.rules.keys;
        let mut changes = Changes::default();
        let mut told = Vec::with_capacity(incoming.len());
        for one in incoming {
            let key = Key {
                organization: one.organization.clone(),
                id: one.id.clone(),
            };
            if let Some(account) = there.accounts.get(&key) {
                told.push(match one.is(account) {
                    true => Imported::Equal,
                    false => Imported::Differs,
                });
                continue;
            }
            if there
                .deleted
                .contains(&keys.account_pseudonym(&key.organization, &key.id))
            {
                told.push(Imported::Deleted);
                continue;
            }
            let account = one.account(now, &mut fresh, &mut there.ids);
            let row = rows::account_row(&account, account.created_at.0)?;
            changes.accounts.added.push(row);
            changes.names.added.push(rows::names_row(&account));
            let phones = account.phones.iter();
            let phones = phones.map(|phone| rows::phone_row(&account, phone, keys));
            changes.phones.added.extend(phones);
            let event = rows::event_row(&Event {
                id: fresh.id(),
                account: account.id.clone(),
                organization: account.organization.clone(),
                sequence: account.sequence,
                at: now,
                actor: ACTOR.to_owned(),
                kind: EventKind::Imported,
                number: None,
                count: 1,
                detail: None,
            })?;
            changes.events.added.push(event);
            there.accounts.insert(key, account);
            told.push(Imported::Added);
        }
        Ok((told, changes))
    }

    async fn what_is_there(
        &self,
        session: &Session,
        incoming: &[Incoming],
    ) -> Result<There, Fault> {
        let (sql, keys) = (&self.shared.sql, &self.shared.rules.keys);
        let pairs = || {
            incoming
                .iter()
                .map(|one| (one.organization.as_str(), one.id.as_str()))
        };
        let wanted = Wanted {
            exact: pairs().collect(),
            ..Wanted::default()
        };
        let deleted = pairs().map(|(organization, id)| keys.account_pseudonym(organization, id));
        let deleted: Vec<String> = deleted.collect();
        let statement = sql.what_decides(
            &wanted,
            std::iter::empty(),
            deleted.iter().map(String::as_str),
        )?;
        let (found, _, deleted, _): (
            Vec<Found>,
            Vec<budgets::Model>,
            Vec<deleted_accounts::Model>,
            Vec<opt_outs::Model>,
        ) = one_text(session, statement).await?;
        let accounts = found.into_iter().map(|(row, phones)| {
            let key = Key {
                organization: row.organization_id.clone(),
                id: row.user_id.clone(),
            };
            Ok((key, rows::account(row, phones)?))
        });
        let now = self.now();
        let deleted = deleted.into_iter().filter(|row| row.until_at > now.0);
        let ids = incoming.iter().flat_map(|one| &one.phones);
        let ids: Vec<String> = ids
            .filter_map(|phone| Some(phone.id?.to_string()))
            .collect();
        let taken = match ids.is_empty() {
            true => Vec::new(),
            false => {
                let statement = sql.taken_ids(ids.iter().map(String::as_str))?;
                session.query_all_raw(statement).await?
            }
        };
        let taken = taken
            .iter()
            .map(|row| rows::id(&row.try_get_by_index::<String>(0)?));
        Ok(There {
            accounts: accounts.collect::<Result<_, Fault>>()?,
            deleted: deleted.map(|row| row.pseudonym).collect(),
            ids: taken.collect::<Result<_, Fault>>()?,
        })
    }
}

/// How a batch is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Not,
    /// In one statement, which is its own transaction.
    AtOnce,
    /// In a transaction that nobody else writes beside.
    InTurn,
}

/// What is there of a batch.
struct There {
    accounts: HashMap<Key, Account>,
    /// Pseudonyms of accounts that were deleted.
    deleted: HashSet<String>,
    /// Ids of numbers that are taken.
    ids: HashSet<Id>,
}
