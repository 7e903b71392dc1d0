//! Tests of what is said of a token to who checks one.

use super::*;

fn auth_with_keys(hands: &Hands) -> (Auth, Pair) {
    let pair = Pair::ec("one");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({"keys": [pair.jwk]}).to_string()).unwrap();
    let issuer = IssuerSection {
        jwks_file: file.path().display().to_string(),
        ..section(&[Algorithm::ES256])
    };
    (auth(issuer, hands), pair)
}

#[tokio::test]
async fn a_token_that_holds_is_told_with_what_it_may() {
    let auth = auth(with_secret(), &Hands::new());
    let said = claims(json!({
        "org_id": "acme", "iat": START, "permissions": ["user.read"], "scope": "openid",
        "urn:zitadel:iam:org:project:roles": {"ORG_OWNER": {"other": "x"}},
    }));
    let token = hmac(Algorithm::HS256, SECRET.as_bytes(), &said);
    let told = auth.explain(&format!(" {token}\n")).await.unwrap();
    assert_eq!(
        told,
        [
            "issuer: main",
            "user: \"ann\"",
            "organisation: \"acme\"",
            "may in \"acme\": user.read",
            "may in \"other\": user.read user.write user.delete sms.read sms.write guard.read guard.write audit.read",
            "scopes: \"openid\"",
            "issued at: 2023-11-14T22:13:20Z",
            "expires at: 2023-11-14T23:13:20Z",
        ]
    );
    let told = |more: Value| {
        let token = hmac(Algorithm::HS256, SECRET.as_bytes(), &claims(more));
        let auth = &auth;
        async move { auth.explain(&token).await.unwrap().join("\n") }
    };
    let root = told(json!({"roles": ["IAM_OWNER"]})).await;
    assert!(root.contains("may in every organisation: user.read user.write user.delete"));
    let plain = told(json!({})).await;
    assert!(plain.contains("may: act on the own account") && plain.contains("not said (`iat`)"));
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_exactly_why() {
    let hands = Hands::new();
    let auth = auth(with_secret(), &hands);
    let signed = |more: Value| hmac(Algorithm::HS256, SECRET.as_bytes(), &claims(more));
    let forged = hmac(
        Algorithm::HS256,
        b"another secret, as long as the right",
        &claims(json!({})),
    );
    let stronger = hmac(Algorithm::HS512, SECRET.as_bytes(), &claims(json!({})));
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!(
        "{}.{}.",
        part(json!({"alg": "none"})),
        part(claims(json!({})))
    );
    let nobodys = format!(
        "{}.{}.x",
        part(json!({"alg": "HS256"})),
        part(json!({"sub": "ann"}))
    );
    let table: Vec<(String, &[&str])> = vec![
        (
            signed(json!({"exp": START - 31})),
            &["expired at 2023-11-14T22:12:49Z"],
        ),
        (
            signed(json!({"nbf": START + 60})),
            &["not valid before 2023-11-14T22:14:20Z"],
        ),
        (signed(json!({"exp": null})), &["no expiry"]),
        (
            signed(json!({"aud": ["one", "two"]})),
            &[
                "(`aud`) is \"one\" or \"two\"",
                "auth.issuers.main.audiences has \"ringback\" or \"other\"",
            ],
        ),
        (
            signed(json!({"aud": null})),
            &["no audience", "\"ringback\" or \"other\""],
        ),
        (
            signed(json!({"iss": "https://evil\n.example"})),
            &[
                "is \"https://evil\\n.example\", which is not configured",
                ISSUER,
            ],
        ),
        (
            stronger,
            &[
                "algorithm is HS512",
                "auth.issuers.main.algorithms has \"HS256\"",
            ],
        ),
        (forged, &["signature is not by the key of the issuer main"]),
        (signed(json!({"sub": null})), &["names no user"]),
        (
            signed(json!({"org_id": 7})),
            &["a subject or organisation that is no id"],
        ),
        (unsigned, &["its algorithm is \"none\""]),
        (nobodys, &["names no issuer"]),
        ("x.y".into(), &["no JWT", "2 parts"]),
        ("x.y.z".into(), &["no JWT", "first part"]),
        (String::new(), &["0 parts"]),
        ("x".repeat(20_000), &["more than"]),
    ];
    for (token, says) in table {
        let told = auth.explain(&token).await.expect_err("must be refused");
        for text in says {
            assert!(told.contains(text), "not {text}: {told}");
        }
        assert!(token.is_empty() || !told.contains(&token) && !told.contains(SECRET));
    }
    let (auth, pair) = auth_with_keys(&hands);
    let other = Pair::ec("two").token();
    let told = auth.explain(&other).await.expect_err("must be refused");
    assert!(told.contains("key id (`kid`) \"two\" is not among the keys of the issuer main"));
    assert!(auth.explain(&pair.token()).await.is_ok());
}
