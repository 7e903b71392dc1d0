//! Names that are there twice, that nobody knows, or that name nothing.

use std::io::Cursor;

use ringback_core::account::AccountLimits;
use ringback_core::{Account, Id, Number, Phone, PhoneState, Profile, Time};

use super::{reading, users, wrongs};
use crate::moving::{Users, Writer, WrittenAs};

/// Why a table is refused at its head.
fn refused(file: &str) -> String {
    let file = Box::new(Cursor::new(file.as_bytes().to_vec()));
    match Users::of(file, None, reading()) {
        Ok(_) => "is read".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn columns_are_known_and_each_is_there_once() {
    for (head, told) in [
        (
            "userId,phone,phone",
            "line 1: the column phone is there twice",
        ),
        (
            "userId,phone,User ID",
            "line 1: the column User ID is there twice",
        ),
        (
            "\n\nuserId,Phone Number",
            "line 3: the column Phone Number is not known here",
        ),
        (
            "userId,+41791234567",
            "line 1: the column something is not known here",
        ),
        (
            "user_id,email,email",
            "line 1: the column email is there twice",
        ),
        (
            "cognito:username,sub,sub",
            "line 1: the column sub is there twice",
        ),
        (
            "id,primary_phone_number,id",
            "line 1: the column id is there twice",
        ),
    ] {
        let wrong = refused(&format!("{head}\n"));
        assert!(wrong.contains(told), "{head}: {wrong}");
    }
    // Spreadsheets add columns without a name and with nothing in them.
    assert_eq!(users("userId,phone,,\nann,+41791234567,,\n").len(), 1);
}

#[test]
fn names_of_objects_are_there_once() {
    for (file, told) in [
        (
            r#"{"userId":"ann","userId":"bob"}"#,
            "userId is there twice",
        ),
        (
            r#"{"userId":"ann","phones":[{"phone":"+41791234567","isVerified":false,"isVerified":true}]}"#,
            "isVerified is there twice",
        ),
        (
            r#"{"user_id":"ann","phone_verified":false,"phone_verified":true}"#,
            "phone_verified is there twice",
        ),
        (
            r#"{"userId":"ann","+41791234567":1,"+41791234567":1}"#,
            "something is there twice",
        ),
        (
            r#"{"Users":[{"Username":"ann","Attributes":[{"Name":"sub","Value":"a"},{"Name":"sub","Value":"b"}]}]}"#,
            "Attributes: sub is there twice",
        ),
        (
            r#"{"userId":"ann","phone number":"x"}"#,
            "phone number is not known here",
        ),
    ] {
        let wrong = wrongs(file);
        assert_eq!(wrong.len(), 1, "{file}");
        assert!(wrong[0].1.contains(told), "{file}: {wrong:?}");
    }
}

#[test]
fn what_names_nothing_is_wrong() {
    let cognito = |attributes| format!(r#"{{"Users":[{{"Username":"ann"{attributes}}}]}}"#);
    let clerk = |ids| {
        format!(
            r#"[{{"id":"u",{ids},"phone_numbers":[{{"id":"a","phone_number":"+41791234567"}}],"email_addresses":[]}}]"#
        )
    };
    for (file, told) in [
        (cognito(""), "sub is missing"),
        (
            cognito(r#","Attributes":[{"Name":"name","Value":"Ann"}]"#),
            "sub is missing",
        ),
        (
            clerk(r#""primary_phone_number_id":"b""#),
            "primary_phone_number_id names none",
        ),
        (
            clerk(r#""primary_email_address_id":"b""#),
            "primary_email_address_id names none",
        ),
    ] {
        let wrong = wrongs(&file);
        assert_eq!(wrong.len(), 1, "{file}");
        assert!(wrong[0].1.contains(told), "{file}: {wrong:?}");
    }
    assert_eq!(users(&clerk(r#""primary_phone_number_id":null"#)).len(), 1);
}

#[test]
fn counters_end_where_they_can_still_go_on() {
    let line = |sequence: &str| format!(r#"{{"userId":"ann","sequence":{sequence}}}"#);
    assert_eq!(
        users(&line("9007199254740991"))[0].sequence,
        Some((1 << 53) - 1)
    );
    for wrong in [
        "9007199254740992",
        "9223372036854775807",
        "18446744073709551615",
        "1e30",
        "-1",
        "0",
        "1.5",
    ] {
        assert_eq!(wrongs(&line(wrong)).len(), 1, "{wrong}");
    }
}

#[test]
fn rows_of_one_user_stand_together() {
    let wrong = wrongs("userId,phone\nann,+41791234567\nbob,\nann,+41791234568\n");
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    let told = "is of the user of line 2, and other users stand between";
    assert!(wrong[0].0 == 4 && wrong[0].1.contains(told), "{wrong:?}");
}

#[test]
fn a_table_of_formulas_comes_back_as_it_was() {
    for text in ["=1+2", "+a", "-b", "@c", "'=d", "'e", "'", "ann"] {
        let account = account(text);
        let mut writer = Writer::new(WrittenAs::Csv, Vec::new()).expect("in memory");
        writer.write(&account).expect("in memory");
        let table = String::from_utf8(writer.finish().expect("in memory")).expect("UTF-8");
        let row = table.lines().nth(1).expect("a row");
        let formula = |cell: &str| cell.starts_with(['=', '+', '-', '@']);
        let formulas: Vec<&str> = row.split(',').filter(|cell| formula(cell)).collect();
        assert_eq!(formulas, ["+41791234567"], "{row}");
        let back = &users(&table)[0];
        let told = (&back.organization, &back.id, &back.profile);
        assert_eq!(told, (&account.organization, &account.id, &account.profile));
    }
}

/// Everything that is a text says this.
fn account(text: &str) -> Account {
    let phone = Phone {
        id: Id::from_bytes([1; 16]),
        number: Number::from_stored("+41791234567"),
        state: PhoneState::Unverified,
        created_at: Time(0),
        changed_at: Time(0),
    };
    let said = || text.to_owned();
    Account {
        id: said(),
        organization: said(),
        sequence: 1,
        created_at: Time(0),
        changed_at: Time(0),
        profile: Profile {
            username: said(),
            given_name: said(),
            family_name: said(),
            nick_name: said(),
            display_name: said(),
            preferred_language: said(),
            email: said(),
            ..Profile::default()
        },
        primary: Some(phone.id),
        phones: vec![phone],
        challenges: Vec::new(),
        limits: AccountLimits::default(),
    }
}
