//! Silence: whether the time that an answer takes tells what is known. Calls about what is there and about what is
//! not, in turns, compared by the test of Mann and Whitney.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::fixture::people;
use crate::ids;
use crate::report::{Table, two};
use crate::request::Protocol;
use crate::run::each_once;
use crate::scenario::Scenario;
use crate::server::Setup;

/// Below it two times differ.
pub(crate) const LEAST: f64 = 0.001;
/// Calls that are not counted.
const WARMUP: usize = 100;

/// What a call is made of: user, number and token of whoever calls, and what is asked about.
struct Asked<'a> {
    own: &'a str,
    other: &'a str,
    number: &'a str,
}

/// A call, and what must be answered.
struct Case {
    name: &'static str,
    /// Whether what is known is a user; else it is a number.
    of_user: bool,
    status: u16,
    make: fn(&Asked<'_>) -> (Method, String, Value),
}

const CASES: [Case; 10] = [
    Case {
        name: "zitadel GetUserByID",
        of_user: true,
        status: 404,
        make: |asked| {
            (
                Method::GET,
                format!("/v2/users/{}", asked.other),
                Value::Null,
            )
        },
    },
    Case {
        name: "zitadel SetPhone",
        of_user: true,
        status: 404,
        make: |asked| {
            let body = json!({"phone": asked.number, "sendCode": {}});
            (
                Method::POST,
                format!("/v2/users/{}/phone", asked.other),
                body,
            )
        },
    },
    Case {
        name: "zitadel VerifyPhone",
        of_user: true,
        status: 404,
        make: |asked| {
            let body = json!({"verificationCode": "123456"});
            (
                Method::POST,
                format!("/v2/users/{}/phone/verify", asked.other),
                body,
            )
        },
    },
    Case {
        name: "zitadel ResendPhoneCode",
        of_user: true,
        status: 404,
        make: |asked| {
            (
                Method::POST,
                format!("/v2/users/{}/phone/resend", asked.other),
                json!({}),
            )
        },
    },
    Case {
        name: "zitadel RemovePhone",
        of_user: true,
        status: 404,
        make: |asked| {
            (
                Method::DELETE,
                format!("/v2/users/{}/phone", asked.other),
                Value::Null,
            )
        },
    },
    Case {
        name: "ringback ListUserPhones",
        of_user: true,
        status: 404,
        make: |asked| {
            let path = "/ringback.phone.v1.PhoneService/ListUserPhones".to_owned();
            (Method::POST, path, json!({"userId": asked.other}))
        },
    },
    Case {
        name: "zitadel SetPhone",
        of_user: false,
        status: 200,
        make: |asked| {
            let body = json!({"phone": asked.number, "sendCode": {}});
            (Method::POST, format!("/v2/users/{}/phone", asked.own), body)
        },
    },
    Case {
        name: "frontegg add",
        of_user: false,
        status: 201,
        make: |asked| {
            let path = "/identity/resources/users/phone-numbers/v1".to_owned();
            (Method::POST, path, json!({"phoneNumber": asked.number}))
        },
    },
    Case {
        name: "frontegg preverify",
        of_user: false,
        status: 200,
        make: |asked| {
            let path = "/identity/resources/users/phone-numbers/v1/preverify".to_owned();
            (Method::POST, path, json!({"phoneNumber": asked.number}))
        },
    },
    Case {
        name: "reachfive update-phone-number",
        of_user: false,
        status: 200,
        make: |asked| {
            let path = "/identity/v1/update-phone-number".to_owned();
            (Method::POST, path, json!({"phone_number": asked.number}))
        },
    },
];

/// What one call took about what is known and what is not.
#[derive(Clone, Debug)]
pub(crate) struct Silence {
    name: String,
    known: f64,
    unknown: f64,
    /// How likely times that differ as much are if nothing differs.
    pub(crate) p: f64,
}

impl Silence {
    pub(crate) fn titles() -> Table {
        Table::new(&[
            "database",
            "call",
            "known p50 ms",
            "unknown p50 ms",
            "p",
            "differs",
        ])
    }

    pub(crate) fn row(&self, table: &mut Table, database: &str) {
        table.row([
            database.to_owned(),
            self.name.clone(),
            two(self.known),
            two(self.unknown),
            format!("{:.4}", self.p),
            if self.p < LEAST { "yes" } else { "no" }.to_owned(),
        ]);
    }
}

/// Each case with `calls` calls about what is known and as many about what is not.
pub(crate) async fn silence(setup: Setup, calls: usize) -> anyhow::Result<Vec<Silence>> {
    let setup = setup.with_apis(&["zitadel", "ringback", "frontegg", "reachfive"]);
    let server = setup.start().await?;
    // Whoever holds the known numbers, and whoever calls: each once.
    let each = (calls + WARMUP) as u64;
    let by_number = CASES.iter().filter(|case| !case.of_user).count() as u64;
    let pool = 3 * each * by_number;
    let all = people(&setup.database, Scenario::Flow, pool, 0).await?;
    let target = server.target(Protocol::Grpc)?;
    let held = all.start..all.start + each * by_number;
    each_once(target.endpoint, Scenario::Flow, held.clone()).await?;
    let stream = TcpStream::connect(server.address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let measuring = async {
        let mut callers = held.end..all.end;
        let mut found = Vec::new();
        let mut numbers = 0;
        for case in &CASES {
            let lots = RandomState::new();
            let mut times = [Vec::with_capacity(calls), Vec::with_capacity(calls)];
            for n in 0..calls + WARMUP {
                // By lot: any rule, however odd, may fall in with what a database does every so often.
                let known_first = lots.hash_one(n) % 2 == 0;
                for known in [known_first, !known_first] {
                    // A number that was asked about once is known from then on.
                    let about = held.start + numbers + n as u64;
                    let (other, number) = match known {
                        true => (about, about),
                        // Nobody has it: beyond all that are there.
                        false => (all.end + about, all.end + about),
                    };
                    let caller = match case.of_user {
                        true => all.end - 1,
                        false => callers.next().context("callers ran out")?,
                    };
                    let own = ids::user(caller);
                    let asked = Asked {
                        own: &own,
                        other: &ids::user(other),
                        number: &ids::number(number),
                    };
                    let took = ask(&mut sender, &setup, case, &asked).await?;
                    if n >= WARMUP {
                        times[usize::from(known)].push(took);
                    }
                }
            }
            numbers += if case.of_user { 0 } else { each };
            let [mut unknown, mut known] = times;
            let p = mann_whitney(&known, &unknown);
            known.sort_unstable();
            unknown.sort_unstable();
            let middle = |times: &[u64]| times[times.len() / 2] as f64 / 1_000_000.0;
            let about = if case.of_user { "user" } else { "number" };
            found.push(Silence {
                name: format!("{}, {about}", case.name),
                known: middle(&known),
                unknown: middle(&unknown),
                p,
            });
        }
        anyhow::Ok(found)
    };
    let found = tokio::select! {
        found = measuring => found?,
        ended = connection => bail!("the connection ended: {ended:?}"),
    };
    server.stop().await?;
    Ok(found)
}

/// Nanoseconds from the request to the whole answer.
async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    setup: &Setup,
    case: &Case,
    asked: &Asked<'_>,
) -> anyhow::Result<u64> {
    let (method, path, body) = (case.make)(asked);
    let token = setup.user_token(asked.own)?;
    let mut request = Request::new(match &body {
        Value::Null => Full::default(),
        body => Full::from(body.to_string()),
    });
    *request.method_mut() = method;
    *request.uri_mut() = path.parse()?;
    let headers = request.headers_mut();
    headers.insert("host", "ringback".parse()?);
    headers.insert("authorization", format!("Bearer {token}").parse()?);
    if !body.is_null() {
        headers.insert("content-type", "application/json".parse()?);
    }
    sender.ready().await?;
    let began = Instant::now();
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    let took = began.elapsed();
    if status != case.status {
        bail!("{}: {status} {}", case.name, String::from_utf8_lossy(&body));
    }
    Ok(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))
}

/// Two-sided, by the normal approximation with ties: good for some dozens of samples and more.
fn mann_whitney(a: &[u64], b: &[u64]) -> f64 {
    let (m, n) = (a.len() as f64, b.len() as f64);
    let mut all: Vec<(u64, bool)> = a.iter().map(|time| (*time, true)).collect();
    all.extend(b.iter().map(|time| (*time, false)));
    all.sort_unstable();
    let (mut ranks_of_a, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let same = all[at..]
            .iter()
            .take_while(|(time, _)| *time == all[at].0)
            .count();
        let rank = at as f64 + (same as f64 + 1.0) / 2.0;
        let of_a = all[at..at + same].iter().filter(|(_, of_a)| *of_a).count();
        ranks_of_a += rank * of_a as f64;
        ties += (same as f64).powi(3) - same as f64;
        at += same;
    }
    let u = ranks_of_a - m * (m + 1.0) / 2.0;
    let whole = m + n;
    let variance = m * n / 12.0 * (whole + 1.0 - ties / (whole * (whole - 1.0)));
    let distance = ((u - m * n / 2.0).abs() - 0.5).max(0.0);
    if variance <= 0.0 {
        return 1.0;
    }
    erfc(distance / variance.sqrt() / std::f64::consts::SQRT_2)
}

/// The complementary error function for what is not negative, to seven digits (Abramowitz and Stegun, 7.1.26 with
/// Horner's rule).
fn erfc(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let factors = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    let sum = factors.iter().fold(0.0, |sum, factor| sum * t + factor);
    sum * t * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_of_mann_and_whitney_agrees_with_others() {
        // As scipy.stats.mannwhitneyu(a, b, method="asymptotic") says.
        let a = [19, 22, 16, 29, 24];
        let b = [20, 11, 17, 12];
        let p = mann_whitney(&a, &b);
        assert!((p - 0.111_347).abs() < 1e-3, "{p}");
        let same: Vec<u64> = (0..500).collect();
        assert!(mann_whitney(&same, &same) > 0.99);
        let later: Vec<u64> = same.iter().map(|time| time + 100).collect();
        assert!(mann_whitney(&same, &later) < 1e-6);
        assert_eq!(mann_whitney(&[1; 9], &[1; 9]), 1.0);
    }

    #[test]
    fn erfc_is_right_where_it_matters() {
        for (x, expected) in [
            (0.0, 1.0),
            (0.5, 0.479_500_1),
            (1.0, 0.157_299_2),
            (2.326_753, 0.001),
        ] {
            assert!((erfc(x) - expected).abs() < 1e-5, "{x}");
        }
    }
}
