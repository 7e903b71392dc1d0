//! Files that were damaged on the way, and what is none at all: read to the end, whatever they hold.

use proptest::prelude::*;

use super::read_as;
use super::samples::SAMPLES;
use crate::moving::Format;

/// A sample with some bytes changed, put in or taken out.
fn mutated() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let sample = proptest::sample::select(SAMPLES.to_vec());
    let change = (
        any::<prop::sample::Index>(),
        0..4_u8,
        any::<u8>(),
        0..40_usize,
    );
    let changes = prop::collection::vec(change, 1..8);
    (sample, changes).prop_map(|((format, sample), changes)| {
        let mut bytes = sample.as_bytes().to_vec();
        for (at, what, byte, span) in changes {
            let at = at
                .index(bytes.len().max(1))
                .min(bytes.len().saturating_sub(1));
            let end = (at + span).min(bytes.len());
            match what {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => bytes.insert(at, b"{}[]\",\n\\"[usize::from(byte) % 8]),
                2 => drop(bytes.drain(at..end)),
                _ => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
        }
        (format, bytes)
    })
}

const ALL: [Option<Format>; 7] = [
    None,
    Some(Format::Ndjson),
    Some(Format::Csv),
    Some(Format::Auth0),
    Some(Format::Firebase),
    Some(Format::Cognito),
    Some(Format::Clerk),
];

/// Apart from the example that a rule gives.
pub(super) fn names_no_number(told: &str) -> bool {
    let told = told.replace("such as +41791234567", "");
    told.split(|c: char| !c.is_ascii_digit())
        .all(|part| part.len() < 8)
}

/// Whatever is read ends, makes no more users than there are bytes, and names no number.
fn hold(file: &[u8]) {
    for format in ALL {
        let read = read_as(file, format);
        assert!(read.len() <= file.len() + 1);
        for (line, user) in read {
            assert!(line as usize <= file.len() + 1);
            if let Err(wrong) = user {
                assert!(names_no_number(&wrong), "{wrong}");
                assert!(wrong.len() < 300, "{wrong}");
            }
        }
    }
}

/// Two thousand files of each sort, or more where `PROPTEST_CASES` says so.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.max(2_000),
        failure_persistence: None,
        ..usual
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_damaged_file_is_read_to_its_end((_, file) in mutated()) {
        hold(&file);
    }

    #[test]
    fn any_bytes_are_read_to_their_end(file in prop::collection::vec(any::<u8>(), 0..400)) {
        hold(&file);
    }

    #[test]
    fn any_brackets_are_read_to_their_end(file in "[\\[\\]{}\",:\n\\\\ a1]{0,200}") {
        hold(file.as_bytes());
    }
}
