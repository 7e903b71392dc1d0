//! Tests of authentication: who is believed, and who is not.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;
use crate::config::{Config, IssuerSection};

mod explain;
mod keys;
mod keysets;
mod refusals;
mod rights;

use keys::write;

const START: i64 = 1_700_000_000;
const ISSUER: &str = "https://login.example.com";
const SECRET: &str = "a secret of more than 32 characters";

/// A clock that the test sets.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn new() -> Hands {
        Hands(Arc::new(AtomicI64::new(START * 1_000_000)))
    }

    fn clock(&self) -> Clock {
        let hands = self.clone();
        Arc::new(move || Time(hands.0.load(Ordering::SeqCst)))
    }

    fn forward(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap();
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn section(algorithms: &[Algorithm]) -> IssuerSection {
    IssuerSection {
        issuer: ISSUER.into(),
        audiences: vec!["ringback".into(), "other".into()],
        algorithms: algorithms.to_vec(),
        ..IssuerSection::default()
    }
}

fn with_secret() -> IssuerSection {
    IssuerSection {
        secret: SECRET.into(),
        ..section(&[Algorithm::HS256])
    }
}

fn try_auth(issuer: IssuerSection, hands: &Hands) -> Result<Auth, ConfigError> {
    let mut config = Config::load(None, []).unwrap();
    config.auth.issuers.insert("main".into(), issuer);
    Auth::new(&config.auth, "default", hands.clock())
}

fn auth(issuer: IssuerSection, hands: &Hands) -> Auth {
    try_auth(issuer, hands).unwrap_or_else(|error| panic!("{error}"))
}

fn claims(more: Value) -> Value {
    let mut all = json!({"iss": ISSUER, "aud": "ringback", "sub": "ann", "exp": START + 3600});
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    all
}

/// A key pair of an issuer.
struct Pair {
    id: &'static str,
    algorithm: Algorithm,
    private: EncodingKey,
    public_pem: String,
    jwk: Value,
}

impl Pair {
    fn new(id: &'static str, algorithm: Algorithm, private: EncodingKey, public: &[u8]) -> Pair {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&private, algorithm).unwrap()).unwrap();
        jwk["kid"] = id.into();
        jwk["use"] = "sig".into();
        let body = STANDARD.encode(public);
        let public_pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        Pair {
            id,
            algorithm,
            private,
            public_pem,
            jwk,
        }
    }

    fn ec(id: &'static str) -> Pair {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        let public = pair.public_key().as_der().unwrap();
        Pair::new(id, Algorithm::ES256, private, public.as_ref())
    }

    fn rsa(id: &'static str) -> Pair {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let body = STANDARD.encode(pkcs8.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let private = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        let public = pair.public_key().as_der().unwrap();
        Pair::new(id, Algorithm::RS256, private, public.as_ref())
    }

    fn ed(id: &'static str) -> Pair {
        let pair = Ed25519KeyPair::generate().unwrap();
        let private = EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref());
        let public = pair.public_key().as_der().unwrap();
        Pair::new(id, Algorithm::EdDSA, private, public.as_ref())
    }

    fn sign(&self, id: Option<&str>, claims: &Value) -> String {
        let header = Header {
            kid: id.map(str::to_owned),
            ..Header::new(self.algorithm)
        };
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }

    fn token(&self) -> String {
        self.sign(Some(self.id), &claims(json!({})))
    }
}

fn hmac(algorithm: Algorithm, secret: &[u8], claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret);
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

async fn ask(auth: &Auth, token: &str) -> Result<Caller, Refusal> {
    auth.caller(&headers(&[("authorization", &format!("Bearer {token}"))]))
        .await
}

async fn ask_with(auth: &Auth, more: Value) -> Result<Caller, Refusal> {
    let token = hmac(Algorithm::HS256, SECRET.as_bytes(), &claims(more));
    ask(auth, &token).await
}

fn ann() -> Caller {
    Caller::new("ann", "default")
}

#[tokio::test]
async fn a_plain_token_says_who_and_nothing_more() {
    let auth = auth(with_secret(), &Hands::new());
    assert_eq!(ask_with(&auth, json!({})).await, Ok(ann()));
}

#[tokio::test]
async fn the_header_is_read_with_care() {
    let auth = auth(with_secret(), &Hands::new());
    let token = hmac(Algorithm::HS256, SECRET.as_bytes(), &claims(json!({})));
    let answer = async |pairs: &[(&'static str, &str)]| {
        let answer = auth.caller(&headers(pairs)).await;
        answer.map(|caller| caller.user)
    };
    assert_eq!(answer(&[]).await, Err(Refusal::TokenMissing));
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let value = format!("{scheme} {token}");
        assert_eq!(answer(&[("authorization", &value)]).await, Ok("ann".into()));
    }
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        &token,
        "Bearer\u{e9} x",
    ] {
        assert_eq!(
            answer(&[("authorization", value)]).await,
            Err(Refusal::TokenMalformed),
            "{value}"
        );
    }
    let value = format!("Bearer {token}");
    let twice = [
        ("authorization", value.as_str()),
        ("authorization", value.as_str()),
    ];
    assert_eq!(answer(&twice).await, Err(Refusal::TokenMalformed));
    let long = format!("Bearer {}", "a".repeat(TOKEN_BYTES + 1));
    for value in ["Bearer x", "Bearer a.b.c", "Bearer ..", &long] {
        assert_eq!(
            answer(&[("authorization", value)]).await,
            Err(Refusal::TokenInvalid)
        );
    }
    let padded = "x".repeat(TOKEN_BYTES);
    assert_eq!(
        ask_with(&auth, json!({"padding": padded})).await,
        Err(Refusal::TokenInvalid)
    );
    let padded = "x".repeat(TOKEN_BYTES / 2);
    assert!(ask_with(&auth, json!({"padding": padded})).await.is_ok());
}

#[tokio::test]
async fn time_issuer_and_audience_must_be_right() {
    let auth = auth(with_secret(), &Hands::new());
    for right in [
        json!({"exp": START - 29}),
        json!({"exp": START as f64 - 29.5}),
        json!({"nbf": START + 30}),
        json!({"nbf": START - 1}),
        json!({"aud": "other"}),
        json!({"aud": ["elsewhere", "ringback"]}),
        json!({"sub": "é".repeat(200)}),
    ] {
        assert!(ask_with(&auth, right.clone()).await.is_ok(), "{right}");
    }
    for wrong in [
        json!({"exp": START - 30}),
        json!({"exp": null}),
        json!({"exp": (START + 3600).to_string()}),
        json!({"nbf": START + 31}),
        json!({"nbf": "soon"}),
        json!({"aud": "elsewhere"}),
        json!({"aud": ["elsewhere"]}),
        json!({"aud": []}),
        json!({"aud": {"ringback": true}}),
        json!({"aud": null}),
        json!({"iss": "https://login.example.com/"}),
        json!({"iss": [ISSUER]}),
        json!({"iss": null}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "é".repeat(201)}),
        json!({"sub": "a\u{0}b"}),
    ] {
        assert_eq!(
            ask_with(&auth, wrong.clone()).await,
            Err(Refusal::TokenInvalid),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_token_ends_when_the_clock_says_so() {
    let hands = Hands::new();
    let auth = auth(with_secret(), &hands);
    hands.forward(seconds(3600 + 29));
    assert!(ask_with(&auth, json!({})).await.is_ok());
    hands.forward(seconds(1));
    assert_eq!(ask_with(&auth, json!({})).await, Err(Refusal::TokenInvalid));
}

#[tokio::test]
async fn signatures_and_algorithms_cannot_be_played_with() {
    let hands = Hands::new();
    let auth_hs = auth(with_secret(), &hands);
    let plain = claims(json!({}));
    let good = hmac(Algorithm::HS256, SECRET.as_bytes(), &plain);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = message.split_once('.').unwrap();
    let others = URL_SAFE_NO_PAD.encode(claims(json!({"sub": "bob"})).to_string());
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "typ": "JWT"}).to_string());
    let body = URL_SAFE_NO_PAD.encode(plain.to_string());
    for wrong in [
        hmac(
            Algorithm::HS256,
            b"another secret of more than 32 characters",
            &plain,
        ),
        hmac(Algorithm::HS384, SECRET.as_bytes(), &plain),
        format!("{message}."),
        format!("{message}.{}", signature.to_lowercase()),
        format!("{head}.{others}.{signature}"),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!("{good}.x"),
    ] {
        assert_eq!(
            ask(&auth_hs, &wrong).await,
            Err(Refusal::TokenInvalid),
            "{wrong}"
        );
    }
    let critical = Header {
        crit: Some(vec!["b64".into()]),
        ..Header::new(Algorithm::HS256)
    };
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let critical = jsonwebtoken::encode(&critical, &plain, &key).unwrap();
    assert_eq!(ask(&auth_hs, &critical).await, Err(Refusal::TokenInvalid));

    // The classic: the public key, which everybody knows, as the secret of an HMAC.
    let pair = Pair::rsa("k");
    let file = write(&pair.public_pem);
    let issuer = IssuerSection {
        public_key_file: file.path().display().to_string(),
        ..section(&[Algorithm::RS256])
    };
    let auth_rs = auth(issuer, &hands);
    assert!(ask(&auth_rs, &pair.token()).await.is_ok());
    let confused = hmac(Algorithm::HS256, pair.public_pem.as_bytes(), &plain);
    assert_eq!(ask(&auth_rs, &confused).await, Err(Refusal::TokenInvalid));
    let other = Pair::rsa("k");
    assert_eq!(
        ask(&auth_rs, &other.token()).await,
        Err(Refusal::TokenInvalid)
    );
}

#[tokio::test]
async fn the_language_is_bounded() {
    let auth = auth(with_secret(), &Hands::new());
    let token = hmac(Algorithm::HS256, SECRET.as_bytes(), &claims(json!({})));
    let bearer = format!("Bearer {token}");
    let language = async |asked: &str| {
        let headers = headers(&[("authorization", &bearer), ("accept-language", asked)]);
        auth.caller(&headers).await.unwrap().language
    };
    assert_eq!(language(" de-CH, fr;q=0.5 ").await, "de-CH, fr;q=0.5");
    assert_eq!(language("é").await, "");
    let long = language(&"de,".repeat(100)).await;
    assert!(long.len() <= 200 && long.starts_with("de,") && long.ends_with("de"));
    assert_eq!(language(&"d".repeat(300)).await, "");
}
