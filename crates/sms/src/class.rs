//! What providers' answers mean, by one set of names: whose fault a failure was.

use ringback_core::delivery::{NumberFault, RouteFault, Verdict};

use crate::{Arrival, Lost, Receipt, Report};

/// What an answer or a receipt of a provider says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The provider has the message, now or from an earlier attempt.
    Taken,
    /// The number's fault: nobody can bring it.
    Number(NumberFault),
    /// The provider cannot, or not now.
    Route(RouteFault),
    /// The phone is off or out of reach, or it took too long.
    Phone,
    /// The provider may have it or not.
    Unknown,
}

use NumberFault::{Invalid, Landline, OptedOut};
use RouteFault::{Auth, Content, Credit, Down, Protocol, Region, Sender, Template, Throttled};

/// Every name that a configuration may use.
const NAMES: [(&str, Class); 15] = [
    ("taken", Class::Taken),
    ("invalid", Class::Number(Invalid)),
    ("landline", Class::Number(Landline)),
    ("opted_out", Class::Number(OptedOut)),
    ("region", Class::Route(Region)),
    ("auth", Class::Route(Auth)),
    ("credit", Class::Route(Credit)),
    ("throttled", Class::Route(Throttled)),
    ("sender", Class::Route(Sender)),
    ("content", Class::Route(Content)),
    ("template", Class::Route(Template)),
    ("down", Class::Route(Down)),
    ("protocol", Class::Route(Protocol)),
    ("phone", Class::Phone),
    ("unknown", Class::Unknown),
];

impl Class {
    /// What a name says of an answer.
    pub(crate) fn answered(name: &str) -> Option<Class> {
        of_names(Class::in_answers, name)
    }

    /// What a name says of a message that did not arrive.
    pub(crate) fn lost(name: &str) -> Option<Class> {
        of_names(Class::in_receipts, name)
    }

    /// The names for answers, for whoever wrote a wrong one.
    pub(crate) fn answered_names() -> String {
        names(Class::in_answers)
    }

    /// The names for messages that did not arrive.
    pub(crate) fn lost_names() -> String {
        names(Class::in_receipts)
    }

    fn in_answers(self) -> bool {
        self != Class::Phone
    }

    fn in_receipts(self) -> bool {
        !matches!(self, Class::Taken | Class::Unknown)
    }

    /// What an answer of that status means, as long as its body says no more: a provider that does not tell repeated
    /// messages may have taken one whose answer is a fault of its own.
    pub(crate) fn of_status(status: u16) -> Class {
        match status {
            200..=299 => Class::Taken,
            401 | 403 | 407 => Class::Route(Auth),
            402 => Class::Route(Credit),
            429 => Class::Route(Throttled),
            408 | 425 | 503 => Class::Route(Down),
            500..=599 => Class::Unknown,
            _ => Class::Route(Protocol),
        }
    }

    /// What it means for the message. `after`: seconds for which the provider asked to be left alone.
    pub(crate) fn verdict(self, after: u32) -> Verdict {
        match self {
            Class::Taken => Verdict::Taken,
            Class::Number(fault) => Verdict::Never { fault },
            Class::Route(fault @ (Throttled | Down | RouteFault::Unreachable)) => {
                Verdict::NotNow { fault, after }
            }
            Class::Route(fault) => Verdict::Unable { fault },
            Class::Phone => Verdict::NotNow { fault: Down, after },
            Class::Unknown => Verdict::Unknown,
        }
    }

    /// A report of an answer. `answer` says which it was: its status, and its code where it had one.
    pub(crate) fn report(self, answer: &str, after: u32, reference: Option<String>) -> Report {
        let verdict = self.verdict(after);
        if verdict == Verdict::Taken {
            return Report::taken(reference);
        }
        let reason = match self {
            Class::Unknown => format!("{answer}: it may have the message or not"),
            class => format!("{answer}: {}", class.reason()),
        };
        Report::failed(verdict, reason)
    }

    /// A receipt of a message that did not arrive. `says` names the provider's code, and may be empty.
    pub(crate) fn receipt(self, says: &str) -> Receipt {
        let lost = match self {
            Class::Number(fault) => Lost::Number(fault),
            Class::Route(fault) => Lost::Route(fault),
            Class::Taken | Class::Phone | Class::Unknown => Lost::Phone,
        };
        let reason = match (says, self.reason()) {
            ("", reason) => reason.to_owned(),
            (says, reason) => format!("{says}: {reason}"),
        };
        Receipt {
            arrival: Arrival::Undelivered(lost),
            reason,
            once: None,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Class::Number(fault) => fault.reason(),
            Class::Route(fault) => fault.reason(),
            Class::Taken | Class::Unknown => "nobody says why",
            Class::Phone => "the phone could not be reached",
        }
    }
}

fn of_names(fits: fn(Class) -> bool, name: &str) -> Option<Class> {
    let mut fitting = NAMES.into_iter().filter(|(_, class)| fits(*class));
    let found = fitting.find(|(known, _)| *known == name);
    found.map(|(_, class)| class)
}

fn names(fit: fn(Class) -> bool) -> String {
    let fitting = NAMES.into_iter().filter(|(_, class)| fit(*class));
    let names: Vec<&str> = fitting.map(|(name, _)| name).collect();
    names.join(", ")
}

/// What a provider's code looks like: short, and no number of a phone.
pub(crate) fn is_code(text: &str) -> bool {
    let symbol = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut digits = text.split(|c: char| !c.is_ascii_digit());
    (1..=40).contains(&text.len()) && text.chars().all(symbol) && digits.all(|run| run.len() < 7)
}
