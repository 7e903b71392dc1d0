//! What is known of a command before it is decided: its name, the right that it asks for, the number that it
//! names and the budgets that it may touch.

use std::net::IpAddr;

use crate::command::{
    Action, Change, Command, Delivery, NumberText, PhoneChange, SetPhone, Verification, Which,
};
use crate::limit::{AddressUse, SHARES};
use crate::number::NumberRules;
use crate::rights::Call;
use crate::{Keys, Number, Policy};

/// A command's one row.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    /// The stable name: in metrics, spans and logs.
    pub(crate) name: &'static str,
    /// What is asked for, as far as rights are concerned.
    pub(crate) call: Call,
    /// The number that the account may hold afterwards.
    pub(crate) number: Option<&'a NumberText>,
    /// Whether a message may go to that number.
    pub(crate) to_named: bool,
    /// Whether a message may go to a number that the account holds: a number that is replaced or removed is
    /// told, which counts like a code.
    pub(crate) to_held: bool,
    /// Whether a user's first call registers the user.
    pub(crate) registers: bool,
}

impl<'a> Plan<'a> {
    const fn new(name: &'static str, call: Call) -> Plan<'a> {
        Plan {
            name,
            call,
            number: None,
            to_named: false,
            to_held: false,
            registers: false,
        }
    }

    /// A message may go to a number that the account holds.
    const fn may_tell_held(self) -> Plan<'a> {
        Plan {
            to_held: true,
            ..self
        }
    }

    /// Names a number that becomes the account's, and how it is proven.
    fn naming(self, number: &'a NumberText, verification: Option<Verification>) -> Plan<'a> {
        Plan {
            number: Some(number),
            to_named: verification == Some(Verification::Code(Delivery::Send)),
            registers: true,
            ..self
        }
    }
}

const SENT: Option<Verification> = Some(Verification::Code(Delivery::Send));

/// The row for proving a number this way.
fn proof(verification: Option<Verification>) -> Call {
    match verification {
        None | Some(Verification::Code(Delivery::Send)) => Call::SendCode,
        Some(Verification::Code(Delivery::Return)) => Call::ReturnCode,
        Some(Verification::Trusted) => Call::VouchForNumber,
    }
}

/// The same row where there is more to it than the primary number.
fn beside(call: Call) -> Call {
    match call {
        Call::SendCode => Call::SendOtherCode,
        other => other,
    }
}

impl Action {
    /// The one match over everything that can be asked for.
    pub(crate) fn plan(&self) -> Plan<'_> {
        match self {
            Action::Register { phone, .. } => {
                let plan = Plan::new("register", Call::Register);
                match phone {
                    None => plan,
                    Some(set) => plan.naming(&set.number, Some(set.verification)),
                }
            }
            Action::Delete => Plan::new("delete", Call::Delete),
            Action::Erase => Plan::new("erase", Call::Delete),
            Action::Change(change) => change.plan(),
        }
    }
}

impl Change {
    fn plan(&self) -> Plan<'_> {
        match self {
            Change::Update { profile, phone } => {
                let plan = match phone {
                    PhoneChange::Keep => Plan::new("update", Call::ChangeProfile),
                    PhoneChange::Set(set) => {
                        let plan = set.plan("update");
                        let call = beside(plan.call);
                        Plan { call, ..plan }
                    }
                    PhoneChange::Remove => Plan::new("update", Call::Remove).may_tell_held(),
                };
                let vouches = matches!(profile.email, Some((_, true)));
                let call = if vouches {
                    Call::VouchForEmail
                } else {
                    plan.call
                };
                Plan { call, ..plan }
            }
            Change::Set(set) => set.plan("set"),
            Change::Add {
                number,
                verification,
            } => Plan::new("add", beside(proof(*verification))).naming(number, *verification),
            Change::Preverify { number } => {
                Plan::new("preverify", Call::SendOtherCode).naming(number, SENT)
            }
            Change::Replace { number } => Plan::new("change", Call::SendCode)
                .naming(number, SENT)
                .may_tell_held(),
            Change::Resend { delivery, .. } => {
                let plan = Plan::new("resend", proof(Some(Verification::Code(*delivery))));
                match delivery {
                    Delivery::Send => plan.may_tell_held(),
                    Delivery::Return => plan,
                }
            }
            Change::Verify { which, .. } => {
                let plan = Plan::new("verify", Call::SubmitCode);
                match which {
                    // It takes nobody's place.
                    Which::Primary => plan,
                    Which::Next
                    | Which::Phone(_)
                    | Which::Number(_)
                    | Which::Challenge(_)
                    | Which::Latest => plan.may_tell_held(),
                }
            }
            Change::RequestRemoval { .. } => {
                Plan::new("request_removal", Call::SendOtherCode).may_tell_held()
            }
            Change::ConfirmRemoval { .. } => {
                Plan::new("remove", Call::SubmitRemoval).may_tell_held()
            }
            Change::Remove { which } => {
                let call = match which {
                    Which::Primary | Which::Number(_) => Call::Remove,
                    Which::Next | Which::Phone(_) | Which::Challenge(_) | Which::Latest => {
                        Call::RemoveAny
                    }
                };
                Plan::new("remove", call).may_tell_held()
            }
            Change::MakePrimary { .. } => Plan::new("make_primary", Call::MakePrimary),
            Change::Unlock => Plan::new("unlock", Call::Unlock),
            // A service speaks of a user whom it knows, who need not have come yet.
            Change::OpenSession(_) => Plan {
                registers: true,
                ..Plan::new("open_session", Call::OpenSession)
            },
            Change::TakeSession => Plan::new("take_session", Call::TakeSession),
            Change::Tidy => Plan::new("tidy", Call::RemoveAny),
        }
    }
}

impl SetPhone {
    fn plan(&self, name: &'static str) -> Plan<'_> {
        let verification = Some(self.verification);
        Plan::new(name, proof(verification))
            .naming(&self.number, verification)
            .may_tell_held()
    }
}

impl Command {
    /// The stable name of what is asked for: in metrics, spans and logs.
    pub fn name(&self) -> &'static str {
        self.action.plan().name
    }

    /// Whether the command may bring an account into being.
    pub fn registers(&self) -> bool {
        self.action.plan().registers || matches!(self.action, Action::Register { .. })
    }

    /// The number that the account may hold once the command is done, as these rules read it.
    pub fn number(&self, rules: &NumberRules) -> Option<Number> {
        let text = self.action.plan().number?;
        Number::parse(&text.0, rules).ok()
    }

    /// Which budgets the command may touch, by their pseudonyms, when the account that it means is of this
    /// organisation, whose rules these are. `known` are the numbers that the account may hold when the command is
    /// decided: those that it holds now and those that commands decided together with this one name.
    pub fn budgets<'a>(
        &self,
        organization: &str,
        known: impl Iterator<Item = &'a Number>,
        policy: &Policy,
        keys: &Keys,
    ) -> Vec<String> {
        let named = self.number(&policy.numbers);
        self.budgets_naming(named.as_ref(), organization, known, policy, keys)
    }

    /// The same for who has read its number by these rules already ([`Command::number`]).
    pub fn budgets_naming<'a>(
        &self,
        named: Option<&Number>,
        organization: &str,
        known: impl Iterator<Item = &'a Number>,
        policy: &Policy,
        keys: &Keys,
    ) -> Vec<String> {
        let plan = self.action.plan();
        let named = named.filter(|_| plan.to_named);
        let known = known.filter(|number| plan.to_held && Some(*number) != named);
        let named = named.map(|number| keys.pseudonym(number));
        let known = known.map(|number| keys.pseudonym(number));
        let may_send = plan.to_named || plan.to_held;
        let shares = match may_send && policy.limits.counts_organizations() {
            true => 0..SHARES,
            false => 0..0,
        };
        let shares = shares.map(|share| keys.share_pseudonym(organization, share));
        let address = self.address(policy);
        let address = address.map(|address| keys.address_pseudonym(address));
        let numbers = named.into_iter().chain(known);
        numbers.chain(address).chain(shares).collect()
    }

    /// The address whose budget counts the command, where a user acts alone.
    fn address(&self, policy: &Policy) -> Option<IpAddr> {
        let what = match self.action.plan().call {
            Call::SendCode | Call::SendOtherCode => AddressUse::Send,
            Call::SubmitCode | Call::SubmitRemoval => AddressUse::Verification,
            _ => return None,
        };
        let alone = self.caller.user == self.account && !self.caller.spoken_for;
        let counted = alone && what.is_counted(policy);
        self.caller.address.filter(|_| counted)
    }
}
