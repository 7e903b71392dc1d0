//! What each command_status of an answer means.

use ringback_core::delivery::{NumberFault, RouteFault, Verdict};
use rusmpp::{Command, CommandId, CommandStatus};

use crate::Report;

/// What a refused submit_sm means for its message. `before`: whether the provider has parts of it already, so
/// that sending all of it again would bring those out twice.
pub(super) fn submit_refused(answer: &Command, before: bool) -> Report {
    let status = answer.status();
    let verdict = match submit_verdict(status) {
        // It did not understand what we sent; only "slow down" says something about the message.
        verdict if answer.id() == CommandId::GenericNack => match verdict {
            Verdict::NotNow { .. } => verdict,
            _ => unable(RouteFault::Protocol),
        },
        verdict => verdict,
    };
    let verdict = match verdict {
        Verdict::NotNow { fault, .. } if before => unable(fault),
        verdict => verdict,
    };
    let what = match answer.id() {
        CommandId::GenericNack => "not understood",
        _ => "refused",
    };
    Report::failed(verdict, format!("{what}: {}", name(status)))
}

fn unable(fault: RouteFault) -> Verdict {
    Verdict::Unable { fault }
}

fn submit_verdict(status: CommandStatus) -> Verdict {
    use CommandStatus as S;
    let not_now = |fault| Verdict::NotNow { fault, after: 0 };
    match status {
        S::EsmeRthrottled | S::EsmeRmsgqful => not_now(RouteFault::Throttled),
        S::EsmeRinvbndsts | S::EsmeRxTAppn | S::EsmeRsertypunavail => not_now(RouteFault::Down),
        S::EsmeRinvdstadr => Verdict::Never {
            fault: NumberFault::Invalid,
        },
        S::EsmeRinvsrcadr | S::EsmeRinvsrcton | S::EsmeRinvsrcnpi | S::EsmeRinvsrcaddrsubunit => {
            unable(RouteFault::Sender)
        }
        S::EsmeRinvmsglen | S::EsmeRinvesmclass | S::EsmeRinvdcs | S::EsmeRxRAppn => {
            unable(RouteFault::Content)
        }
        S::EsmeRsubmitfail | S::EsmeRdeliveryfailure => unable(RouteFault::Region),
        S::EsmeRbindfail
        | S::EsmeRinvpaswd
        | S::EsmeRinvsysid
        | S::EsmeRsertypunauth
        | S::EsmeRprohibited
        | S::EsmeRsertypdenied => unable(RouteFault::Auth),
        // It may have the message all the same.
        S::EsmeRok | S::EsmeRsyserr | S::EsmeRunknownerr => Verdict::Unknown,
        // All others say that it has not taken it, for a reason that another route need not have.
        _ => unable(RouteFault::Protocol),
    }
}

/// What a refused bind means for the messages that wait for it.
pub(super) fn bind_refused(answer: &Command) -> Report {
    use CommandStatus as S;
    let status = answer.status();
    let verdict = match status {
        S::EsmeRalybnd
        | S::EsmeRsyserr
        | S::EsmeRmsgqful
        | S::EsmeRthrottled
        | S::EsmeRxTAppn
        | S::EsmeRunknownerr => Verdict::NotNow {
            fault: RouteFault::Down,
            after: 0,
        },
        _ if answer.id() == CommandId::GenericNack => unable(RouteFault::Protocol),
        _ => unable(RouteFault::Auth),
    };
    Report::failed(verdict, format!("the bind was refused: {}", name(status)))
}

/// A status as SMPP writes it, such as `0x0000000B ESME_RINVDSTADR`.
pub(super) fn name(status: CommandStatus) -> String {
    let number = u32::from(status);
    let name = format!("{status:?}");
    match name.strip_prefix("Esme") {
        Some(name) => format!("0x{number:08X} ESME_{}", name.to_ascii_uppercase()),
        None => format!("0x{number:08X}, which only the provider can explain"),
    }
}

#[cfg(test)]
mod tests {
    use rusmpp::Pdu;
    use rusmpp::pdus::SubmitSmResp;

    use super::*;

    fn answer(status: u32, nack: bool) -> Command {
        let pdu = match nack {
            true => Pdu::GenericNack,
            false => SubmitSmResp::default().into(),
        };
        let command = Command::builder().status(CommandStatus::from(status));
        command.sequence_number(1).pdu(pdu)
    }

    #[test]
    fn every_status_says_whose_fault_it_is() {
        let never = Verdict::Never {
            fault: NumberFault::Invalid,
        };
        let not_now = |fault| Verdict::NotNow { fault, after: 0 };
        let table = [
            (0x0B, never),
            (0x58, not_now(RouteFault::Throttled)),
            (0x14, not_now(RouteFault::Throttled)),
            (0x04, not_now(RouteFault::Down)),
            (0x64, not_now(RouteFault::Down)),
            (0x0A, unable(RouteFault::Sender)),
            (0x48, unable(RouteFault::Sender)),
            (0x49, unable(RouteFault::Sender)),
            (0x01, unable(RouteFault::Content)),
            (0x43, unable(RouteFault::Content)),
            (0x45, unable(RouteFault::Region)),
            (0xFE, unable(RouteFault::Region)),
            (0x0D, unable(RouteFault::Auth)),
            (0x0E, unable(RouteFault::Auth)),
            (0x0F, unable(RouteFault::Auth)),
            (0x08, Verdict::Unknown),
            (0xFF, Verdict::Unknown),
        ];
        for (status, verdict) in table {
            let report = submit_refused(&answer(status, false), false);
            assert_eq!(report.verdict, verdict, "0x{status:02X}");
            assert!(report.reason.contains(&format!("0x{status:08X} ESME_")));
        }
        let known: Vec<u32> = table.iter().map(|(status, _)| *status).collect();
        let rest = (1..=0x200).chain([0x400, 0x4FF, 0x500, u32::MAX]);
        for status in rest.filter(|status| !known.contains(status)) {
            let verdict = submit_refused(&answer(status, false), false).verdict;
            assert!(
                !matches!(verdict, Verdict::Never { .. } | Verdict::Taken),
                "0x{status:02X}: {verdict:?}"
            );
        }
        let vendor = submit_refused(&answer(0x400, false), false);
        assert_eq!(vendor.verdict, unable(RouteFault::Protocol));
        assert!(
            vendor.reason.contains("0x00000400, which only"),
            "{vendor:?}"
        );
    }

    #[test]
    fn what_was_not_understood_is_a_fault_of_the_protocol() {
        for status in [0x02, 0x03, 0x08, 0x0B, 0xFF] {
            let report = submit_refused(&answer(status, true), false);
            assert_eq!(report.verdict, unable(RouteFault::Protocol), "{status}");
        }
        let report = submit_refused(&answer(0x58, true), false);
        assert!(matches!(report.verdict, Verdict::NotNow { .. }));
    }

    #[test]
    fn a_message_of_which_a_part_was_taken_is_not_for_this_route_again() {
        let report = submit_refused(&answer(0x58, false), true);
        assert_eq!(report.verdict, unable(RouteFault::Throttled));
    }

    #[test]
    fn a_bind_that_may_work_later_is_told_from_one_that_needs_somebody() {
        for status in [0x0D, 0x0E, 0x0F, 0x53, 0x400] {
            let report = bind_refused(&answer(status, false));
            assert_eq!(report.verdict, unable(RouteFault::Auth), "0x{status:02X}");
        }
        for status in [0x05, 0x08, 0x14, 0x58] {
            let report = bind_refused(&answer(status, false));
            assert!(matches!(report.verdict, Verdict::NotNow { .. }), "{status}");
        }
    }
}
