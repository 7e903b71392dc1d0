//! The decision: one command, one account, one moment.

use std::cell::RefCell;
use std::rc::Rc;

use crate::account::{Account, AccountLimits, Deleted, Phone, Profile, Slot};
use crate::command::{Action, Change, Command, Reply, SetPhone};
use crate::event::{Event, EventKind, Message};
use crate::guard::{Destination, Heard};
use crate::limit::Budgets;
use crate::moment::{Id, Moment, SeededIds};
use crate::number::Number;
use crate::plan::Plan;
use crate::policy::{Policy, Registration};
use crate::refusal::Refusal;
use crate::rights::{Capacity, Own, Right};
use outcome::Outcome;

mod budgets;
mod codes;
mod guard;
mod limits;
mod numbers;
mod outcome;
mod primary;
mod proofs;
mod records;
mod self_service;
mod sessions;
#[cfg(test)]
mod tests;

/// What comes of a command. `events` and `messages` count also beside a refusal, and so does whatever
/// changed in the account and the budgets: a wrong guess is spent although it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the caller is told.
    pub result: Result<Reply, Refusal>,
    /// What goes on record.
    pub events: Vec<Event>,
    /// What is sent.
    pub messages: Vec<Message>,
    /// The challenge whose code proved a number, and the number.
    pub proven: Option<(Id, Number)>,
    /// What the guard hears of it.
    pub heard: Option<Heard>,
}

/// Decides a command on what is kept of the account that [`Command::target`] means. `budgets` must hold an
/// entry for each name that [`Command::budgets`] gave. The same arguments decide the same.
pub fn decide(
    slot: &mut Slot,
    budgets: &mut Budgets,
    command: &Command,
    at: &Moment<'_>,
) -> Decision {
    let policy = at.policies.of(&slot.organization);
    let mut decider = Decider::new(command, policy, at, budgets);
    let result = decider.act(slot);
    decider.record_held(slot, &result);
    Decision {
        result,
        events: decider.events,
        messages: decider.messages,
        proven: decider.proven,
        heard: decider.heard,
    }
}

/// Decides one command: what it may use, and what it leaves behind.
struct Decider<'a> {
    command: &'a Command,
    plan: Plan<'a>,
    policy: &'a Policy,
    at: &'a Moment<'a>,
    budgets: &'a mut Budgets,
    /// Whether a user acts on the own account, and no service.
    alone: bool,
    /// Whether the account had proven a number before.
    known: bool,
    ids: SeededIds,
    events: Vec<Event>,
    messages: Vec<Message>,
    proven: Option<(Id, Number)>,
    heard: Option<Heard>,
    /// A code that the guard held back, while it is not known whether that is what the command is refused for.
    held: RefCell<Option<guard::Held>>,
    /// Where messages to a number go.
    destination: RefCell<Option<(Number, Rc<Destination>)>>,
}

impl<'a> Decider<'a> {
    fn new(
        command: &'a Command,
        policy: &'a Policy,
        at: &'a Moment<'a>,
        budgets: &'a mut Budgets,
    ) -> Decider<'a> {
        Decider {
            command,
            plan: command.action.plan(),
            policy,
            at,
            budgets,
            alone: false,
            known: false,
            ids: SeededIds::new(at),
            events: Vec::new(),
            messages: Vec::new(),
            proven: None,
            heard: None,
            held: RefCell::default(),
            destination: RefCell::default(),
        }
    }

    fn act(&mut self, slot: &mut Slot) -> Result<Reply, Refusal> {
        match (&self.command.action, &slot.account) {
            (
                Action::Register {
                    organization: _,
                    profile,
                    phone,
                },
                _,
            ) => self.register(slot, profile, phone.as_ref()),
            (Action::Delete, Some(_)) => self.delete(slot, EventKind::Deleted),
            (Action::Erase, Some(_)) => self.delete(slot, EventKind::Erased),
            (Action::Erase, None) => self.erase_unknown(slot),
            (Action::Change(change), Some(_)) => self.change_account(slot, change),
            (Action::Change(change), None) if self.plan.registers => {
                self.register_self(slot, change)
            }
            (Action::Delete | Action::Change(_), None) => Err(Refusal::AccountNotFound),
        }
    }

    fn register(
        &mut self,
        slot: &mut Slot,
        profile: &Profile,
        phone: Option<&SetPhone>,
    ) -> Result<Reply, Refusal> {
        let caller = &self.command.caller;
        let rights = caller.rights_at(&slot.organization);
        if !rights.holds(self.plan.call.rule().right) {
            // Whoever has no right at all in another organisation may not even act there.
            let foreign = slot.organization != caller.home && !rights.any();
            return Err(match foreign {
                true => Refusal::OrganizationDenied,
                false => Refusal::PermissionDenied,
            });
        }
        if slot.account.is_some() {
            return Err(Refusal::AccountExists);
        }
        let mut account = self.fresh(&slot.organization, profile.clone());
        let outcome = match phone {
            Some(set) => {
                self.check_set(&account, Capacity::Service, set)?;
                self.record(&mut account, EventKind::Registered, None);
                self.set(&mut account, Capacity::Service, set)?
            }
            None => {
                self.record(&mut account, EventKind::Registered, None);
                Outcome::default()
            }
        };
        Ok(keep(slot, account, outcome))
    }

    /// The first self-service call of a user that the token's issuer vouches for. A token from before the
    /// user was deleted vouches for nobody.
    fn register_self(&mut self, slot: &mut Slot, change: &Change) -> Result<Reply, Refusal> {
        let caller = &self.command.caller;
        let capacity = match caller.may(Right::Write) {
            true => Capacity::Service,
            false => Capacity::Own,
        };
        // A service may open a session for a user whom nobody has spoken of yet.
        let opens = capacity == Capacity::Service && matches!(change, Change::OpenSession(_));
        let is_own = (caller.user == self.command.account || opens)
            && caller.session.is_none()
            && caller.organization == slot.organization
            && (caller.is_home() || capacity == Capacity::Service);
        let allowed = self.policy.accounts.register == Registration::OnFirstToken;
        if !allowed || !is_own || (!opens && self.is_from_before(slot.deleted)) {
            return Err(Refusal::AccountNotFound);
        }
        if capacity == Capacity::Own && self.plan.call.rule().own == Own::Denied {
            return Err(Refusal::PermissionDenied);
        }
        self.alone = capacity == Capacity::Own;
        self.self_service(capacity)?;
        let mut account = self.fresh(&slot.organization, Profile::default());
        self.record(&mut account, EventKind::Registered, None);
        match self.change_counted(&mut account, capacity, change) {
            Ok(outcome) => Ok(keep(slot, account, outcome)),
            Err(refusal) => {
                self.events.clear();
                Err(refusal)
            }
        }
    }

    fn fresh(&self, organization: &str, mut profile: Profile) -> Account {
        let id = self.command.account.clone();
        if profile.username.is_empty() {
            profile.username.clone_from(&id);
        }
        Account {
            id,
            organization: organization.to_owned(),
            sequence: 0,
            created_at: self.at.now,
            changed_at: self.at.now,
            profile,
            phones: Vec::new(),
            primary: None,
            challenges: Vec::new(),
            limits: AccountLimits::default(),
        }
    }

    fn delete(&mut self, slot: &mut Slot, kind: EventKind) -> Result<Reply, Refusal> {
        let mut account = slot.account.take().ok_or(Refusal::AccountNotFound)?;
        if let Err(refusal) = self.capacity(&account) {
            slot.account = Some(account);
            return Err(refusal);
        }
        self.record(&mut account, kind, None);
        slot.deleted = self.deleted();
        Ok(Outcome::default().reply(account))
    }

    /// Where there is no account there may be traces of one, which are not of the slot.
    fn erase_unknown(&self, slot: &Slot) -> Result<Reply, Refusal> {
        let (caller, id) = (&self.command.caller, &self.command.account);
        match caller.capacity(id, &slot.organization, self.plan.call) {
            Ok(_) => {
                let nobody = self.fresh(&slot.organization, Profile::default());
                Ok(Outcome::default().reply(nobody))
            }
            Err(_) => Err(Refusal::AccountNotFound),
        }
    }

    /// What is remembered of an account that is deleted now.
    fn deleted(&self) -> Option<Deleted> {
        let at = self.at.now;
        let until = at + self.policy.accounts.longest_token();
        (until > at).then_some(Deleted { at, until })
    }

    fn change_account(&mut self, slot: &mut Slot, change: &Change) -> Result<Reply, Refusal> {
        let account = slot.account.as_mut().ok_or(Refusal::AccountNotFound)?;
        let capacity = self.capacity(account)?;
        self.alone = capacity == Capacity::Own;
        self.known = account.phones.iter().any(Phone::verified);
        self.self_service(capacity)?;
        self.in_session(account, change)?;
        self.check_changes(account, capacity, change)?;
        let outcome = self.change_counted(account, capacity, change)?;
        self.end_session(account, change, &outcome);
        Ok(outcome.reply(account.clone()))
    }

    fn capacity(&self, account: &Account) -> Result<Capacity, Refusal> {
        let caller = &self.command.caller;
        caller.capacity(&account.id, &account.organization, self.plan.call)
    }

    /// The verbs, each a function of its own.
    fn change(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        change: &Change,
    ) -> Result<Outcome, Refusal> {
        match change {
            Change::Update { profile, phone } => self.update(account, capacity, profile, phone),
            Change::Set(set) => self.set_primary(account, capacity, set),
            Change::Add {
                number,
                verification,
            } => self.add(account, capacity, number, *verification),
            Change::Preverify { number } => self.preverify(account, capacity, number),
            Change::Replace { number } => self.replace(account, capacity, number),
            Change::Resend { which, delivery } => self.resend(account, capacity, which, *delivery),
            Change::Verify { which, guess } => self.verify(account, which, guess),
            Change::RequestRemoval { phone } => self.request_removal(account, capacity, *phone),
            Change::ConfirmRemoval {
                phone,
                challenge,
                guess,
            } => self.confirm_removal(account, *phone, *challenge, guess),
            Change::Remove { which } => self.remove(account, which),
            Change::MakePrimary { phone } => self.make_primary(account, *phone),
            Change::Unlock => Ok(self.unlock(account)),
            Change::OpenSession(new) => self.open_session(account, new),
            Change::TakeSession => self.take_session(account),
            Change::Tidy => {
                account.drop_stale(self.at.now, None);
                Ok(Outcome::default())
            }
        }
    }
}

/// Puts a new account where none was.
fn keep(slot: &mut Slot, account: Account, outcome: Outcome) -> Reply {
    slot.deleted = None;
    slot.account = Some(account.clone());
    outcome.reply(account)
}
