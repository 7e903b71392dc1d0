//! Tests of changing keys: when they are fetched, kept, and no longer believed.

use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// An issuer whose keys can be changed and whose fetches are counted.
struct Endpoint {
    server: MockServer,
}

impl Endpoint {
    async fn serving(response: ResponseTemplate) -> Endpoint {
        let endpoint = Endpoint {
            server: MockServer::start().await,
        };
        endpoint.serve(response).await;
        endpoint
    }

    async fn serve(&self, response: ResponseTemplate) {
        // Later mocks come last; what was asked so far is kept all the same.
        self.server
            .register(
                Mock::given(method("GET"))
                    .respond_with(response)
                    .with_priority(self.next().await),
            )
            .await;
    }

    async fn next(&self) -> u8 {
        200 - u8::try_from(self.fetches().await).unwrap()
    }

    async fn fetches(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }

    fn issuer(&self) -> IssuerSection {
        IssuerSection {
            jwks_url: self.server.uri(),
            ..section(&[Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA])
        }
    }
}

fn set(keys: &[&Pair]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(document(keys))
}

fn document(keys: &[&Pair]) -> Value {
    let keys: Vec<&Value> = keys.iter().map(|pair| &pair.jwk).collect();
    json!({"keys": keys})
}

async fn settled(auth: &Auth) {
    auth.issuers[ISSUER].issuer.settled().await;
}

#[tokio::test]
async fn keys_are_fetched_at_first_need_and_kept() {
    let (ec, ed, rsa) = (Pair::ec("a"), Pair::ed("b"), Pair::rsa("c"));
    let endpoint = Endpoint::serving(set(&[&ec, &ed, &rsa])).await;
    let auth = auth(endpoint.issuer(), &Hands::new());
    assert_eq!(endpoint.fetches().await, 0);
    for pair in [&ec, &ed, &rsa, &ec] {
        assert!(ask(&auth, &pair.token()).await.is_ok(), "{}", pair.id);
    }
    assert_eq!(endpoint.fetches().await, 1);
}

#[tokio::test]
async fn many_who_need_the_keys_at_once_share_one_fetch() {
    let pair = Pair::ec("a");
    let endpoint = Endpoint::serving(set(&[&pair]).set_delay(Duration::from_millis(50))).await;
    let auth = auth(endpoint.issuer(), &Hands::new());
    let token = pair.token();
    let answers = futures::future::join_all((0..50).map(|_| ask(&auth, &token))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(endpoint.fetches().await, 1);
}

#[tokio::test]
async fn a_failed_fetch_is_shared_too() {
    let endpoint =
        Endpoint::serving(ResponseTemplate::new(500).set_delay(Duration::from_millis(50))).await;
    let hands = Hands::new();
    let auth = auth(endpoint.issuer(), &hands);
    let pair = Pair::ec("a");
    let token = pair.token();
    let answers = futures::future::join_all((0..50).map(|_| ask(&auth, &token))).await;
    assert!(
        answers
            .iter()
            .all(|a| *a == Err(Refusal::IssuerUnavailable))
    );
    assert_eq!(endpoint.fetches().await, 1);
    endpoint.serve(set(&[&pair])).await;
    hands.forward(seconds(5));
    assert!(ask(&auth, &token).await.is_ok());
    assert_eq!(endpoint.fetches().await, 2);
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_the_fetch_to_the_others() {
    let pair = Pair::ec("a");
    let endpoint = Endpoint::serving(set(&[&pair]).set_delay(Duration::from_millis(50))).await;
    let auth = auth(endpoint.issuer(), &Hands::new());
    let token = pair.token();
    let mut first = Box::pin(ask(&auth, &token));
    assert!(futures::poll!(&mut first).is_pending());
    drop(first);
    assert!(ask(&auth, &token).await.is_ok());
    assert_eq!(endpoint.fetches().await, 1);
}

#[tokio::test]
async fn a_new_key_is_found_and_an_unknown_one_asks_once_in_30_seconds() {
    let (old, new) = (Pair::ec("old"), Pair::ec("new"));
    let endpoint = Endpoint::serving(set(&[&old])).await;
    let hands = Hands::new();
    let auth = auth(endpoint.issuer(), &hands);
    assert!(ask(&auth, &old.token()).await.is_ok());
    endpoint.serve(set(&[&new])).await;
    hands.forward(seconds(29));
    for _ in 0..3 {
        assert_eq!(ask(&auth, &new.token()).await, Err(Refusal::TokenInvalid));
    }
    assert_eq!(endpoint.fetches().await, 1);
    hands.forward(seconds(1));
    assert!(ask(&auth, &new.token()).await.is_ok());
    assert_eq!(endpoint.fetches().await, 2);
    assert_eq!(ask(&auth, &old.token()).await, Err(Refusal::TokenInvalid));
    assert_eq!(endpoint.fetches().await, 2);
}

#[tokio::test]
async fn keys_outlive_a_failing_endpoint_for_a_day() {
    let pair = Pair::ec("a");
    let endpoint = Endpoint::serving(set(&[&pair])).await;
    let hands = Hands::new();
    let auth = auth(endpoint.issuer(), &hands);
    // Signed anew each time: a token that is known already asks for no key.
    let token = || pair.sign(Some("a"), &claims(json!({"exp": START + 1_000_000})));
    assert!(ask(&auth, &token()).await.is_ok());
    endpoint.serve(ResponseTemplate::new(503)).await;

    hands.forward(seconds(599));
    assert!(ask(&auth, &token()).await.is_ok());
    settled(&auth).await;
    assert_eq!(endpoint.fetches().await, 1);
    hands.forward(seconds(1));
    for _ in 0..3 {
        assert!(ask(&auth, &token()).await.is_ok());
        settled(&auth).await;
    }
    assert_eq!(endpoint.fetches().await, 2);

    hands.forward(seconds(86_400 - 601));
    assert!(ask(&auth, &token()).await.is_ok());
    settled(&auth).await;
    assert_eq!(endpoint.fetches().await, 3);
    hands.forward(seconds(30));
    assert_eq!(ask(&auth, &token()).await, Err(Refusal::IssuerUnavailable));
    assert_eq!(endpoint.fetches().await, 4);
}

#[tokio::test]
async fn a_withdrawn_key_goes_with_the_next_refresh() {
    let (old, new) = (Pair::ec("old"), Pair::ec("new"));
    let endpoint = Endpoint::serving(set(&[&old])).await;
    let hands = Hands::new();
    let auth = auth(endpoint.issuer(), &hands);
    assert!(ask(&auth, &old.token()).await.is_ok());
    endpoint.serve(set(&[&new])).await;
    hands.forward(seconds(600));
    assert!(ask(&auth, &old.token()).await.is_ok());
    settled(&auth).await;
    assert_eq!(ask(&auth, &old.token()).await, Err(Refusal::TokenInvalid));
}

#[tokio::test]
async fn a_check_says_which_issuers_can_be_reached() {
    let pair = Pair::ec("a");
    let endpoint = Endpoint::serving(set(&[&pair])).await;
    let well = auth(endpoint.issuer(), &Hands::new());
    assert_eq!(well.check().await, [("main".to_owned(), Ok(()))]);
    endpoint.serve(ResponseTemplate::new(500)).await;
    let ill = auth(endpoint.issuer(), &Hands::new());
    let answer = ill.check().await;
    let reason = answer[0].1.as_ref().expect_err("must fail");
    assert!(reason.contains("500"), "{reason}");
    let own = auth(with_secret(), &Hands::new());
    assert_eq!(own.check().await, [("main".to_owned(), Ok(()))]);
}

#[tokio::test]
async fn what_is_no_key_set_brings_no_keys() {
    let pair = Pair::ec("a");
    let mut encryption = pair.jwk.clone();
    encryption["use"] = "enc".into();
    let mut other = pair.jwk.clone();
    other["alg"] = "ES384".into();
    let oct = json!({"kty": "oct", "kid": "a", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    let long = "x".repeat(1024 * 1024 + 1);
    for response in [
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_json(json!({"keys": []})),
        ResponseTemplate::new(200).set_body_json(json!({"keys": [oct, encryption]})),
        ResponseTemplate::new(200).set_body_json(json!({"keys": [pair.jwk], "padding": long})),
        ResponseTemplate::new(302).insert_header("location", "https://example.com/"),
    ] {
        let endpoint = Endpoint::serving(response).await;
        let auth = auth(endpoint.issuer(), &Hands::new());
        assert_eq!(
            ask(&auth, &pair.token()).await,
            Err(Refusal::IssuerUnavailable)
        );
    }
    // Keys beside others that nobody here can read are used.
    let strange = json!({"kty": "AKP", "kid": "z", "alg": "ML-DSA-44", "pub": "AA"});
    let mixed =
        ResponseTemplate::new(200).set_body_json(json!({"keys": [strange, 7, other, pair.jwk]}));
    let endpoint = Endpoint::serving(mixed).await;
    let auth = auth(endpoint.issuer(), &Hands::new());
    assert!(ask(&auth, &pair.token()).await.is_ok());
}

#[tokio::test]
async fn the_key_id_chooses() {
    let (ec, rsa, second) = (Pair::ec("a"), Pair::rsa("b"), Pair::ec("c"));
    let endpoint = Endpoint::serving(set(&[&ec, &rsa])).await;
    let first = auth(endpoint.issuer(), &Hands::new());
    let plain = claims(json!({}));
    assert!(ask(&first, &ec.sign(None, &plain)).await.is_ok());
    for id in ["b", "c", ""] {
        let token = ec.sign(Some(id), &plain);
        assert_eq!(
            ask(&first, &token).await,
            Err(Refusal::TokenInvalid),
            "{id}"
        );
    }
    let endpoint = Endpoint::serving(set(&[&ec, &second])).await;
    let several = auth(endpoint.issuer(), &Hands::new());
    // An HMAC with the public key that the set shows.
    let confused = hmac(Algorithm::HS256, ec.jwk.to_string().as_bytes(), &plain);
    assert_eq!(ask(&several, &confused).await, Err(Refusal::TokenInvalid));
}

#[tokio::test]
async fn a_key_file_is_read_again_when_a_key_is_unknown() {
    let (old, new) = (Pair::ec("old"), Pair::ec("new"));
    let file = write(&document(&[&old]).to_string());
    let issuer = IssuerSection {
        jwks_file: file.path().display().to_string(),
        ..section(&[Algorithm::ES256])
    };
    let hands = Hands::new();
    let auth = auth(issuer, &hands);
    assert!(ask(&auth, &old.token()).await.is_ok());
    std::fs::write(file.path(), document(&[&old, &new]).to_string()).unwrap();
    assert_eq!(ask(&auth, &new.token()).await, Err(Refusal::TokenInvalid));
    hands.forward(seconds(30));
    assert!(ask(&auth, &new.token()).await.is_ok());
    std::fs::write(file.path(), "half a fi").unwrap();
    hands.forward(seconds(30));
    assert_eq!(
        ask(&auth, &Pair::ec("x").token()).await,
        Err(Refusal::TokenInvalid)
    );
    assert!(ask(&auth, &old.token()).await.is_ok());
}

#[tokio::test]
async fn a_token_without_a_key_id_is_tried_against_a_few_keys_that_fit() {
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let pairs = ids.map(Pair::ec);
    let (rsa, stranger) = (Pair::rsa("r"), Pair::ec("a"));
    let mut all: Vec<&Pair> = pairs.iter().collect();
    all.insert(0, &rsa);
    let endpoint = Endpoint::serving(set(&all)).await;
    let auth = auth(endpoint.issuer(), &Hands::new());
    let plain = claims(json!({}));
    for pair in pairs[..8].iter().chain([&rsa]) {
        assert!(
            ask(&auth, &pair.sign(None, &plain)).await.is_ok(),
            "{}",
            pair.id
        );
    }
    for pair in [&pairs[8], &stranger] {
        let refused = ask(&auth, &pair.sign(None, &plain)).await;
        assert_eq!(refused, Err(Refusal::TokenInvalid));
    }
    // With its id every key is found.
    assert!(ask(&auth, &pairs[8].token()).await.is_ok());
    assert_eq!(endpoint.fetches().await, 1);
}

#[tokio::test]
async fn a_token_without_a_key_id_may_be_of_a_new_key() {
    let (old, new) = (Pair::ec("old"), Pair::ec("new"));
    let endpoint = Endpoint::serving(set(&[&old])).await;
    let hands = Hands::new();
    let auth = auth(endpoint.issuer(), &hands);
    let plain = claims(json!({}));
    assert!(ask(&auth, &old.sign(None, &plain)).await.is_ok());
    endpoint.serve(set(&[&new])).await;
    for _ in 0..3 {
        let refused = ask(&auth, &new.sign(None, &plain)).await;
        assert_eq!(refused, Err(Refusal::TokenInvalid));
    }
    assert_eq!(endpoint.fetches().await, 1);
    hands.forward(seconds(30));
    assert!(ask(&auth, &new.sign(None, &plain)).await.is_ok());
    assert_eq!(endpoint.fetches().await, 2);
}

/// With this many zero bytes before the number of a member, or as many as it has taken away.
fn zeros(jwk: &Value, member: &str, more: usize) -> Value {
    let mut jwk = jwk.clone();
    let bytes = URL_SAFE_NO_PAD
        .decode(jwk[member].as_str().unwrap())
        .unwrap();
    let mut written = vec![0; more];
    written.extend(bytes.iter().skip_while(|byte| **byte == 0));
    jwk[member] = URL_SAFE_NO_PAD.encode(written).into();
    jwk
}

#[tokio::test]
async fn numbers_of_keys_are_read_with_zeros_too_many_and_too_few() {
    let rsa = Pair::rsa("r");
    // One in 256 has a coordinate that begins with a zero.
    let ec = (0..10_000).map(|_| Pair::ec("e")).find(|pair| {
        let bytes = URL_SAFE_NO_PAD
            .decode(pair.jwk["x"].as_str().unwrap())
            .unwrap();
        bytes[0] == 0
    });
    let ec = ec.expect("a key with a zero");
    let mut padded = rsa.jwk.clone();
    padded["n"] = format!("{}==", padded["n"].as_str().unwrap()).into();
    for (pair, jwk) in [
        (&rsa, zeros(&rsa.jwk, "n", 1)),
        (&rsa, zeros(&rsa.jwk, "n", 7)),
        (&rsa, zeros(&rsa.jwk, "e", 1)),
        (&rsa, padded),
        (&ec, zeros(&ec.jwk, "x", 0)),
        (&ec, zeros(&ec.jwk, "x", 2)),
        (&ec, zeros(&ec.jwk, "y", 1)),
    ] {
        assert_ne!(jwk, pair.jwk);
        let response = ResponseTemplate::new(200).set_body_json(json!({"keys": [jwk]}));
        let endpoint = Endpoint::serving(response).await;
        let auth = auth(endpoint.issuer(), &Hands::new());
        assert!(ask(&auth, &pair.token()).await.is_ok(), "{jwk}");
    }
}
