//! Rights, and the table of who may do what: one row for each thing that can be asked for.

/// In what capacity a caller acts on an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// On their own account, without rights over others.
    Own,
    /// With the right that the action asks for.
    Service,
}

/// The rights that an action can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// `user.read`
    Read,
    /// `user.write`
    Write,
    /// `user.delete`
    Delete,
    /// `sms.read`
    ReadMessages,
    /// `sms.write`
    WriteMessages,
    /// `guard.read`
    ReadGuard,
    /// `guard.write`
    WriteGuard,
    /// `audit.read`
    ReadAudit,
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// `user.read`
    pub read: bool,
    /// `user.write`
    pub write: bool,
    /// `user.delete`
    pub delete: bool,
    /// `sms.read`
    pub read_messages: bool,
    /// `sms.write`
    pub write_messages: bool,
    /// `guard.read`
    pub read_guard: bool,
    /// `guard.write`
    pub write_guard: bool,
    /// `audit.read`
    pub read_audit: bool,
}

impl Rights {
    /// Not one.
    pub const NONE: Rights = Rights {
        read: false,
        write: false,
        delete: false,
        read_messages: false,
        write_messages: false,
        read_guard: false,
        write_guard: false,
        read_audit: false,
    };
    /// Every one.
    pub const ALL: Rights = Rights {
        read: true,
        write: true,
        delete: true,
        read_messages: true,
        write_messages: true,
        read_guard: true,
        write_guard: true,
        read_audit: true,
    };

    /// Whether this one is among them.
    pub fn holds(self, right: Right) -> bool {
        match right {
            Right::Read => self.read,
            Right::Write => self.write,
            Right::Delete => self.delete,
            Right::ReadMessages => self.read_messages,
            Right::WriteMessages => self.write_messages,
            Right::ReadGuard => self.read_guard,
            Right::WriteGuard => self.write_guard,
            Right::ReadAudit => self.read_audit,
        }
    }

    /// These and those.
    #[must_use]
    pub fn or(self, other: Rights) -> Rights {
        Rights {
            read: self.read || other.read,
            write: self.write || other.write,
            delete: self.delete || other.delete,
            read_messages: self.read_messages || other.read_messages,
            write_messages: self.write_messages || other.write_messages,
            read_guard: self.read_guard || other.read_guard,
            write_guard: self.write_guard || other.write_guard,
            read_audit: self.read_audit || other.read_audit,
        }
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Rights) -> Rights {
        Rights {
            read: self.read && other.read,
            write: self.write && other.write,
            delete: self.delete && other.delete,
            read_messages: self.read_messages && other.read_messages,
            write_messages: self.write_messages && other.write_messages,
            read_guard: self.read_guard && other.read_guard,
            write_guard: self.write_guard && other.write_guard,
            read_audit: self.read_audit && other.read_audit,
        }
    }

    /// Whether there is one at all.
    pub fn any(self) -> bool {
        self != Rights::NONE
    }

    /// Whether who has them may know which accounts there are.
    pub(crate) fn may_know(self) -> bool {
        self.read || self.write
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Rights {
        let mut all = Rights::NONE;
        for right in rights {
            match right {
                Right::Read => all.read = true,
                Right::Write => all.write = true,
                Right::Delete => all.delete = true,
                Right::ReadMessages => all.read_messages = true,
                Right::WriteMessages => all.write_messages = true,
                Right::ReadGuard => all.read_guard = true,
                Right::WriteGuard => all.write_guard = true,
                Right::ReadAudit => all.read_audit = true,
            }
        }
        all
    }
}

/// Which accounts a list may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One account.
    Own {
        /// Its id.
        account: String,
        /// Its organisation.
        organization: String,
    },
    /// One organisation.
    Organization(String),
    /// All.
    Everywhere,
}

/// What is asked for, as far as rights are concerned: a row of the table that [`Call::rule`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Read an account.
    Read,
    /// Bring an account into being for somebody.
    Register,
    /// Change what the account says of its user.
    ChangeProfile,
    /// Say that the user's e-mail address is theirs.
    VouchForEmail,
    /// Set, change or resend, with the code sent to the number.
    SendCode,
    /// Add, announce, set beside other changes or ask for a removal, with the code sent or asked for later.
    SendOtherCode,
    /// The same with the code in the reply.
    ReturnCode,
    /// Say that a number is the user's.
    VouchForNumber,
    /// Submit a code that proves a number.
    SubmitCode,
    /// Submit a code that removes one.
    SubmitRemoval,
    /// Make a proven number the primary one.
    MakePrimary,
    /// Remove the primary number, or a proven one; at once, or with a code.
    Remove,
    /// Remove any number at once. It is for services: whoever holds a stolen token could otherwise take away
    /// the number that would warn its owner.
    RemoveAny,
    /// Forget wrong codes and pauses. It is for services: it would undo what protects the user.
    Unlock,
    /// Delete the account. It is for services: it would let a limit be shed with it.
    Delete,
    /// See how far the proof of a number has come.
    ReadProof,
    /// Open a session for the account's user.
    OpenSession,
    /// Take a session by its handle.
    TakeSession,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The right that lets a service do it.
    pub right: Right,
    /// Whether users may do it to their own account.
    pub own: Own,
}

/// Whether users may do something to their own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// They may.
    Allowed,
    /// Never.
    Denied,
}

impl Call {
    /// Every row.
    pub const ALL: [Call; 18] = [
        Call::Read,
        Call::Register,
        Call::ChangeProfile,
        Call::VouchForEmail,
        Call::SendCode,
        Call::SendOtherCode,
        Call::ReturnCode,
        Call::VouchForNumber,
        Call::SubmitCode,
        Call::SubmitRemoval,
        Call::MakePrimary,
        Call::Remove,
        Call::RemoveAny,
        Call::Unlock,
        Call::Delete,
        Call::ReadProof,
        Call::OpenSession,
        Call::TakeSession,
    ];

    /// The table: which right a service needs, and whether a user may do it alone. A code in the reply and a
    /// number taken for verified are for services only: users could otherwise prove numbers that are not
    /// theirs.
    pub const fn rule(self) -> Rule {
        use Own::{Allowed, Denied};
        use Right::{Delete, Read, Write};
        let (right, own) = match self {
            Call::Read => (Read, Allowed),
            Call::Register => (Write, Denied),
            Call::ChangeProfile => (Write, Allowed),
            Call::VouchForEmail => (Write, Denied),
            Call::SendCode | Call::SendOtherCode => (Write, Allowed),
            Call::ReturnCode => (Write, Denied),
            Call::VouchForNumber => (Write, Denied),
            Call::SubmitCode | Call::SubmitRemoval => (Write, Allowed),
            Call::MakePrimary => (Write, Allowed),
            Call::Remove => (Write, Allowed),
            Call::RemoveAny => (Write, Denied),
            Call::Unlock => (Write, Denied),
            Call::Delete => (Delete, Denied),
            Call::ReadProof => (Read, Allowed),
            Call::OpenSession => (Write, Denied),
            Call::TakeSession => (Write, Allowed),
        };
        Rule { right, own }
    }

    /// The table's last column: what a session lets its bearer do to the own account. Nothing else.
    pub const fn is_of_session(self) -> bool {
        matches!(
            self,
            Call::SendCode | Call::SubmitCode | Call::ReadProof | Call::TakeSession
        )
    }
}
