//! Files as others write them, and files that nobody should.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use ringback_core::account::Pending;
use ringback_core::{Policies, Time};
use ringback_store::{Incoming, IncomingState};

use super::{Format, Reading, Users, Wrong};
use damaged::names_no_number;
use samples::*;

mod damaged;
mod names;
mod samples;

const SECOND: i64 = 1_000_000;

fn reading() -> Reading {
    Reading {
        policies: Policies::default(),
        organization: "acme".to_owned(),
        unverified: false,
    }
}

/// All users of a file, with their lines.
fn read_as(file: &[u8], format: Option<Format>) -> Vec<(u64, Result<Incoming, Wrong>)> {
    let file = Box::new(Cursor::new(file.to_vec()));
    let Ok(mut users) = Users::of(file, format, reading()) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    while let Some(user) = users.read_next().expect("can be read") {
        all.push((user.line, user.read));
    }
    all
}

fn read(file: &str) -> Vec<(u64, Result<Incoming, Wrong>)> {
    read_as(file.as_bytes(), None)
}

/// The users of a file without a fault.
fn users(file: &str) -> Vec<Incoming> {
    let users = read(file).into_iter();
    users
        .map(|(line, user)| user.unwrap_or_else(|wrong| panic!("line {line}: {wrong}")))
        .collect()
}

/// What is told of each wrong line.
fn wrongs(file: &str) -> Vec<(u64, String)> {
    let users = read(file).into_iter();
    users
        .filter_map(|(line, user)| Some((line, user.err()?)))
        .collect()
}

fn numbers(user: &Incoming) -> Vec<(&str, bool)> {
    let phones = user.phones.iter();
    phones
        .map(|phone| {
            let verified = matches!(phone.state, IncomingState::Verified(_));
            (phone.number.as_str(), verified)
        })
        .collect()
}

#[test]
fn each_format_is_told_by_its_first_lines() {
    for (format, sample) in SAMPLES {
        let file = Box::new(Cursor::new(sample.as_bytes()));
        let users =
            Users::of(file, None, reading()).unwrap_or_else(|error| panic!("{format:?}: {error}"));
        assert_eq!(users.format(), format, "{sample}");
        assert_eq!(read(sample), read_as(sample.as_bytes(), Some(format)));
        assert!(
            wrongs(sample).is_empty(),
            "{format:?}: {:?}",
            wrongs(sample)
        );
        assert!(!read(sample).is_empty(), "{format:?}");
    }
}

#[test]
fn own_lines_say_all_that_is_known() {
    let [ann, bob] = &users(NDJSON)[..] else {
        panic!("two users");
    };
    assert_eq!(
        (ann.organization.as_str(), ann.id.as_str()),
        ("acme", "ann")
    );
    assert_eq!(ann.created_at, Some(Time(1_767_323_045 * SECOND + 6)));
    assert_eq!(ann.sequence, Some(7));
    assert_eq!((ann.profile.gender, ann.profile.email_verified), (1, true));
    assert_eq!(
        numbers(ann),
        [("+41791234567", true), ("+41791234568", false)]
    );
    let proven = IncomingState::Verified(Some(Time(1_767_323_046 * SECOND)));
    assert_eq!(ann.phones[0].state, proven);
    assert_eq!(ann.phones[1].state, IncomingState::Pending(Pending::Joins));
    assert_eq!(ann.primary, Some(0));
    assert_eq!((bob.organization.as_str(), bob.primary), ("acme", None));
    assert!(bob.phones.is_empty() && bob.created_at.is_none() && bob.sequence.is_none());
}

#[test]
fn rows_of_one_user_are_one_account() {
    let [ann, bob] = &users(CSV)[..] else {
        panic!("two users");
    };
    assert_eq!(ann.profile.given_name, "Ann \"A\"\nB");
    assert_eq!(
        numbers(ann),
        [("+41791234567", true), ("+41791234568", false)]
    );
    assert_eq!(ann.phones[0].created_at, Some(Time(1_767_323_045 * SECOND)));
    assert_eq!(ann.primary, Some(0), "the first verified one");
    assert_eq!(
        (bob.organization.as_str(), bob.profile.given_name.as_str()),
        ("acme", "Bob")
    );
    let lines: Vec<u64> = read(CSV).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 6], "a text of two lines stands before");
}

#[test]
fn auth0_users_keep_their_subjects() {
    let all = users(AUTH0);
    assert_eq!(
        (all[0].id.as_str(), numbers(&all[0])),
        ("sms|5f1", vec![("+41791234567", true)])
    );
    assert_eq!(
        all[0].created_at,
        Some(Time(1_683_356_889 * SECOND + 123_000))
    );
    assert_eq!(
        (all[1].profile.email.as_str(), all[1].profile.email_verified),
        ("bob@example.com", true)
    );
    assert_eq!(numbers(&users(AUTH0_CSV)[0]), [("+41791234567", true)]);
}

#[test]
fn firebase_numbers_are_verified() {
    for file in [FIREBASE, FIREBASE_CSV] {
        let all = users(file);
        assert_eq!(all.len(), 2);
        assert_eq!(
            (all[0].id.as_str(), numbers(&all[0])),
            ("uid1", vec![("+41791234567", true)])
        );
        assert_eq!(all[0].created_at, Some(Time(1_486_324_027 * SECOND)));
        assert!(all[1].phones.is_empty());
    }
    assert_eq!(users(FIREBASE_CSV)[0].profile.display_name, "Ann, A");
    let lines: Vec<u64> = read(FIREBASE).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 6]);
}

#[test]
fn cognito_users_are_called_as_their_tokens_do() {
    let [ann] = &users(COGNITO)[..] else {
        panic!("one user");
    };
    assert_eq!(
        (ann.id.as_str(), ann.profile.username.as_str()),
        ("7c5d", "ann")
    );
    assert_eq!(numbers(ann), [("+41791234567", true)]);
    let at = Some(Time(1_692_259_531 * SECOND + 239_000));
    assert_eq!((ann.created_at, ann.changed_at), (at, at));
    let [row] = &users(COGNITO_CSV)[..] else {
        panic!("one user");
    };
    assert_eq!(
        (row.id.as_str(), numbers(row)),
        ("ann", vec![("+41791234567", false)])
    );
}

#[test]
fn clerk_users_have_several_numbers() {
    let all = users(CLERK);
    assert_eq!(
        numbers(&all[0]),
        [("+41791234567", false), ("+41791234568", true)]
    );
    assert_eq!(all[0].primary, Some(1));
    assert_eq!(
        (all[0].profile.email.as_str(), all[0].profile.email_verified),
        ("ann@example.com", true)
    );
    assert_eq!(
        all[0].phones[1].created_at,
        Some(Time(1_700_000_001 * SECOND))
    );
    let rows = users(CLERK_CSV);
    let expected = [
        ("+41791234568", true),
        ("+41791234567", true),
        ("+41791234569", false),
    ];
    assert_eq!(
        (numbers(&rows[0]), rows[0].primary),
        (expected.to_vec(), Some(0))
    );
    assert_eq!(rows[0].profile.display_name, "Ann A");
}

#[test]
fn a_file_may_be_compressed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("users.ndjson.gz");
    let mut file = GzEncoder::new(Vec::new(), Compression::default());
    file.write_all(NDJSON.as_bytes()).expect("in memory");
    std::fs::write(&path, file.finish().expect("in memory")).expect("a file");
    let mut read = Users::open(&path, None, reading()).expect("can be opened");
    let mut count = 0;
    while read.read_next().expect("can be read").is_some() {
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn no_number_is_taken_for_verified_where_that_is_asked_for() {
    let file = Box::new(Cursor::new(AUTH0.as_bytes()));
    let reading = Reading {
        unverified: true,
        ..reading()
    };
    let mut users = Users::of(file, None, reading).expect("can be read");
    let ann = users
        .read_next()
        .expect("can be read")
        .expect("a user")
        .read
        .expect("right");
    assert_eq!(ann.phones[0].state, IncomingState::Unverified);
}

#[test]
fn wrong_lines_are_told_by_number_and_the_rest_is_read() {
    let line = |phones: &str| format!("{{\"userId\":\"ann\",\"phones\":[{phones}]}}\n");
    let ok = r#"{"phone":"+41791234567"}"#;
    let rows: [(&str, &str); 18] = [
        (
            r#"{"phone":"+41791234567 ext 5"}"#,
            "number 1: the phone number has an extension",
        ),
        (
            r#"{"phone":"0791234567"}"#,
            "number 1: the phone number is not in international form",
        ),
        (r#"{"phone":41791234567}"#, "number 1: phone must be a text"),
        (r#"{}"#, "number 1: phone is missing"),
        (r#""+41791234567""#, "number 1: is no JSON object"),
        (
            r#"{"phone":"+41791234567"},{"phone":"+41 79 123 45 67"}"#,
            "number 2: is there twice",
        ),
        (
            r#"{"phone":"+41791234567","isVerified":"+41791234567"}"#,
            "number 1: isVerified must be true or false",
        ),
        (
            r#"{"phone":"+41791234567","isVerified":false,"verificationDate":"2026-01-02T03:04:05Z"}"#,
            "number 1: verificationDate is given",
        ),
        (
            r#"{"phone":"+41791234567","verificationDate":"2026-01-02"}"#,
            "number 1: verificationDate must be a time",
        ),
        (
            r#"{"phone":"+41791234567","verificationDate":"2026-01-02T03:04:05"}"#,
            "number 1: verificationDate must be a time",
        ),
        // No answer could tell these.
        (
            r#"{"phone":"+41791234567","verificationDate":"0001-01-01T00:00:00+01:00"}"#,
            "number 1: verificationDate must be a time",
        ),
        (
            r#"{"phone":"+41791234567","verificationDate":"9999-12-31T23:59:59-01:00"}"#,
            "number 1: verificationDate must be a time",
        ),
        (
            r#"{"phone":"+41791234567","pending":"+41791234567"}"#,
            "number 1: pending must be joins or replaces",
        ),
        (
            r#"{"phone":"+41791234567","pending":"joins","isPrimary":true}"#,
            "the primary number cannot be pending",
        ),
        (
            r#"{"phone":"+41791234567","+41791234567":1}"#,
            "number 1: something is not known here",
        ),
        (
            r#"{"phone":"+41791234567","id":"+41791234567"}"#,
            "number 1: id must be an id",
        ),
        (
            r#"{"phone":"+41791234567","verified":true}"#,
            "number 1: verified is not known here",
        ),
        (r#"{"phone":"+41791234567""#, "is not JSON at character"),
    ];
    let mut file = line(ok);
    for (phones, _) in rows {
        file += &line(phones);
    }
    let six = (1..=6).map(|n| format!("{{\"phone\":\"+4179123456{n}\"}}"));
    file += &line(&six.collect::<Vec<_>>().join(","));
    file += "\"+41791234567\"\n{\"userId\":\"\"}\n";
    file += &format!("{{\"userId\":\"{}\"}}\n", "x".repeat(201));
    file += &line(ok);
    let told = wrongs(&file);
    assert_eq!(told.len(), rows.len() + 4, "{told:#?}");
    for ((nth, told), (_, expected)) in told.iter().zip(rows) {
        assert!(
            told.contains(expected),
            "line {nth}: {told}, not {expected}"
        );
    }
    let rest: Vec<&str> = told[rows.len()..]
        .iter()
        .map(|(_, told)| told.as_str())
        .collect();
    let expected = [
        "has 6 numbers, and a user may have 5",
        "is no JSON object",
        "userId is missing",
        "the user id has more than 200",
    ];
    for (told, expected) in rest.iter().zip(expected) {
        assert!(told.contains(expected), "{told}, not {expected}");
    }
    let lines: Vec<u64> = told.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, (2..=23).collect::<Vec<u64>>());
    for (_, told) in &told {
        assert!(names_no_number(told), "{told}");
    }
    assert_eq!(
        read(&file).iter().filter(|(_, user)| user.is_ok()).count(),
        2
    );
}

#[test]
fn wrong_rows_and_cut_documents_are_told_too() {
    let told = wrongs("userId,phone\nann,+41791234567,+41791234568\nbob,\"+4179");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].1.contains("has 3 columns, and there are 2"),
        "{told:?}"
    );
    assert!(told[1].1.contains("a quote is not closed"), "{told:?}");
    let cut = &FIREBASE[..FIREBASE.len() - 30];
    let told = wrongs(cut);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].1.contains("the file ends in the middle"),
        "{told:?}"
    );
    let told = wrongs(r#"{"users":[1,"x{",{"localId":"a"},[{"localId":"b"}],null]}"#);
    assert_eq!(told.len(), 4, "{told:?}");
    let long = format!(
        "{{\"userId\":\"ann\",\"username\":\"{}\"}}\n{{\"userId\":\"bob\"}}\n",
        "x".repeat(2 << 20)
    );
    let told = wrongs(&long);
    assert_eq!(told.len(), 1);
    assert!(told[0].1.contains("is longer than"), "{told:?}");
    assert_eq!(users("userId\n\"a\"\n").len(), 1);
    assert!(wrongs("userId,phone\n\"unclosed\nann,+4179").len() == 1);
}

#[test]
fn what_is_no_such_file_is_refused() {
    let open = |file: &[u8]| Users::of(Box::new(Cursor::new(file.to_vec())), None, reading()).err();
    assert!(open(b"").is_some());
    assert!(open(b"hello\nworld\n").is_some());
    let utf16 = open(b"\xff\xfeu\0").expect("is refused").to_string();
    assert!(utf16.contains("UTF-16"), "{utf16}");
}
