//! One file of each form and format: Ann, who has +41791234567, and others.

use crate::moving::Format;

pub(super) const NDJSON: &str = concat!(
    r#"{"organizationId":"acme","userId":"ann","username":"ann","givenName":"Ann","isEmailVerified":true,"#,
    r#""email":"ann@example.com","gender":1,"creationDate":"2026-01-02T03:04:05.000006Z","sequence":7,"#,
    r#""phones":[{"phone":"+41791234567","isPrimary":true,"isVerified":true,"verificationDate":"2026-01-02T03:04:06Z"},"#,
    r#"{"phone":"+41791234568","isPrimary":false,"pending":"joins"}]}"#,
    "\n\n",
    r#"{"userId":"bob"}"#,
    "\n",
);

pub(super) const CSV: &str = "\u{feff}User ID,organization_id,given name,phone,isVerified,phone_creation_date\r\n\
    ann,acme,\"Ann \"\"A\"\"\nB\",+41791234567,TRUE,2026-01-02T03:04:05Z\r\n\
    ann,acme,,+41791234568,,\r\n\
    \r\n\
    bob,,Bob,,,\r\n";

pub(super) const AUTH0: &str = concat!(
    r#"{"user_id":"sms|5f1","phone_number":"+41791234567","phone_verified":true,"name":"Ann","created_at":"2023-05-06T07:08:09.123Z","updated_at":"2023-05-07T07:08:09.123Z","identities":[{"provider":"sms"}],"user_metadata":{"a":1}}"#,
    "\n",
    r#"{"user_id":"auth0|5f2","email":"bob@example.com","email_verified":true,"nickname":"bob"}"#,
    "\n",
);

pub(super) const AUTH0_CSV: &str = "user_id,email,phone_number,phone_verified\n\
    sms|5f1,,+41791234567,true\n";

pub(super) const FIREBASE: &str = r#"{"users": [
    {
      "localId": "uid1", "email": "ann@example.com", "emailVerified": true, "passwordHash": "x{]\"",
      "displayName": "Ann", "createdAt": "1486324027000", "phoneNumber": "+41791234567", "providerUserInfo": [{"a": []}]
    },
    {"localId": "uid2", "createdAt": "1486324028000", "disabled": true, "providerUserInfo": []}
]}"#;

pub(super) const FIREBASE_CSV: &str = "uid1,ann@example.com,true,hash,salt,\"Ann, A\",,,,,,,,,,,,,,,,,,1486324027000,1486324028000,+41791234567,false,,\n\
    uid2,,false,,,,,,,,,,,,,,,,,,,,,1486324027000,,,,\n";

pub(super) const COGNITO: &str = r#"{
  "Users": [
    {
      "Username": "ann",
      "Attributes": [
        {"Name": "sub", "Value": "7c5d"}, {"Name": "phone_number", "Value": "+41791234567"},
        {"Name": "phone_number_verified", "Value": "true"}, {"Name": "given_name", "Value": "Ann"}
      ],
      "UserCreateDate": "2023-08-17T10:05:31.239000+02:00", "UserLastModifiedDate": 1692259531.239,
      "Enabled": true, "UserStatus": "CONFIRMED"
    }
  ],
  "PaginationToken": "CAIS"
}"#;

pub(super) const COGNITO_CSV: &str = "name,given_name,email,email_verified,phone_number,phone_number_verified,cognito:mfa_enabled,cognito:username\n\
    Ann A,Ann,ann@example.com,TRUE,+41791234567,FALSE,FALSE,ann\n";

pub(super) const CLERK: &str = r#"[{"id": "user_1", "object": "user", "first_name": "Ann", "last_name": "A", "created_at": 1700000000000,
    "primary_phone_number_id": "idn_2", "primary_email_address_id": "idn_9",
    "email_addresses": [{"id": "idn_9", "email_address": "ann@example.com", "verification": {"status": "verified"}}],
    "phone_numbers": [
      {"id": "idn_1", "phone_number": "+41791234567", "verification": {"status": "unverified"}},
      {"id": "idn_2", "phone_number": "+41791234568", "verification": {"status": "verified"}, "created_at": 1700000001000}
    ]},
  {"id": "user_2", "phone_numbers": [], "email_addresses": []}]"#;

pub(super) const CLERK_CSV: &str = "id,first_name,last_name,username,primary_email_address,primary_phone_number,verified_email_addresses,\
    unverified_email_addresses,verified_phone_numbers,unverified_phone_numbers,totp_secret,password_digest,password_hasher\n\
    user_1,Ann,A,,ann@example.com,+41791234568,ann@example.com,,\"+41791234567,+41791234568\",+41791234569,,,\n";

pub(super) const SAMPLES: [(Format, &str); 10] = [
    (Format::Ndjson, NDJSON),
    (Format::Csv, CSV),
    (Format::Auth0, AUTH0),
    (Format::Auth0, AUTH0_CSV),
    (Format::Firebase, FIREBASE),
    (Format::Firebase, FIREBASE_CSV),
    (Format::Cognito, COGNITO),
    (Format::Cognito, COGNITO_CSV),
    (Format::Clerk, CLERK),
    (Format::Clerk, CLERK_CSV),
];
