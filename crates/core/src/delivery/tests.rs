use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::moment::Id;

const SECOND: i64 = 1_000_000;

fn code() -> MessageKind {
    let challenge = Id::parse("01900000-0000-7000-8000-000000000001").expect("is an id");
    MessageKind::Code { challenge }
}

/// Routes `a`, `b`, … of which those in `tells` tell repeated messages.
fn routes(names: &str, tells: &str) -> Routes {
    let names = || names.chars();
    let rules = |name: char| RouteRules {
        tells_repeats: tells.contains(name),
        ..RouteRules::default()
    };
    Routes {
        rules: names().map(|name| (name.into(), rules(name))).collect(),
        default: names().map(String::from).collect(),
        by_country: BTreeMap::new(),
        ..Routes::default()
    }
}

fn attempt(n: u32, route: &str, at: i64, verdict: Verdict) -> Attempt {
    Attempt {
        n,
        route: route.into(),
        at: Time(at * SECOND),
        ms: 5,
        times: 1,
        verdict,
        reason: "because".into(),
        reference: None,
        handed: false,
        segments: 0,
        cost: 0,
    }
}

fn trail(attempts: &[(&str, i64, Verdict)]) -> Trail {
    let mut trail = Trail::default();
    for (n, (route, at, verdict)) in (1..).zip(attempts) {
        trail.add(attempt(n, route, *at, *verdict));
    }
    trail
}

/// What becomes of a message that is of use for 600 s, at `now` seconds.
fn step(routes: &Routes, kind: MessageKind, trail: &Trail, now: i64) -> String {
    step_with(routes, kind, trail, |_| Time(0), now)
}

fn step_with(
    routes: &Routes,
    kind: MessageKind,
    trail: &Trail,
    ready: impl Fn(&str) -> Time,
    now: i64,
) -> String {
    let order = routes.order(None, kind, 0);
    let waiting = Waiting {
        order: &order,
        routes,
        trail,
        kind,
        expires_at: Time(600 * SECOND),
    };
    match next(waiting, ready, Time(now * SECOND)) {
        Step::Try { route, at } => format!("{route} at {}", at.0 / SECOND),
        Step::Await => "await".into(),
        Step::End(state) => state.code().into(),
    }
}

const DOWN: Verdict = Verdict::NotNow {
    fault: RouteFault::Down,
    after: 0,
};
const REFUSED: Verdict = Verdict::Unable {
    fault: RouteFault::Auth,
};
const LANDLINE: Verdict = Verdict::Never {
    fault: NumberFault::Landline,
};

#[test]
fn a_fault_of_a_route_leads_to_the_next_one_and_a_fault_of_the_number_ends() {
    let ab = routes("ab", "");
    let after = |verdict| step(&ab, code(), &trail(&[("a", 10, verdict)]), 10);
    assert_eq!(step(&ab, code(), &Trail::default(), 10), "a at 10");
    assert_eq!(after(Verdict::Taken), "await");
    assert_eq!(after(DOWN), "b at 10");
    assert_eq!(after(REFUSED), "b at 10");
    assert_eq!(after(Verdict::Unknown), "b at 10");
    assert_eq!(after(LANDLINE), "refused");
}

#[test]
fn what_may_have_come_twice_is_told_and_what_a_route_tells_apart_is_not() {
    let (unknown, taken) = (Verdict::Unknown, Verdict::Taken);
    // `a` tells repeated messages.
    let routes = routes("ab", "a");
    let cases = [
        (&[("a", 10, taken)][..], false),
        (&[("a", 10, unknown)], false),
        (&[("a", 10, unknown), ("a", 11, taken)], false),
        (&[("a", 10, unknown), ("a", 11, unknown)], false),
        (&[("a", 10, unknown), ("b", 11, taken)], true),
        (&[("a", 10, unknown), ("b", 11, REFUSED)], false),
        (&[("b", 10, unknown), ("b", 11, taken)], true),
        (&[("b", 10, unknown), ("b", 11, unknown)], true),
    ];
    for (attempts, expected) in cases {
        let found = trail(attempts).may_have_come_twice(&routes);
        assert_eq!(found, expected, "{attempts:?}");
    }
}

#[test]
fn a_number_that_has_opted_out_of_one_route_is_reached_by_the_next() {
    let stop = Verdict::Never {
        fault: NumberFault::OptedOut,
    };
    let ab = routes("ab", "");
    let mut tried = trail(&[("a", 10, stop)]);
    assert_eq!(step(&ab, code(), &tried, 10), "b at 10");
    assert_eq!(tried.newly_opted_out(), Some("a"));
    tried.add(attempt(2, "b", 11, stop));
    assert_eq!(step(&ab, code(), &tried, 11), "refused");
    let known = Trail::of_opted_out(["a"].into_iter(), Time(0));
    assert_eq!(known.newly_opted_out(), None, "it was known before");
    assert_eq!(step(&ab, code(), &known, 10), "b at 10");
    let a = routes("a", "");
    assert_eq!(step(&a, code(), &known, 10), "refused");
}

#[test]
fn who_said_not_now_is_asked_again_after_a_pause_that_doubles() {
    let a = routes("a", "");
    let mut trail = Trail::default();
    for (n, pause) in [
        (1, 1),
        (2, 2),
        (3, 4),
        (4, 8),
        (5, 16),
        (6, 32),
        (7, 60),
        (8, 60),
    ] {
        trail.add(attempt(n, "a", 10, DOWN));
        assert_eq!(step(&a, code(), &trail, 10), format!("a at {}", 10 + pause));
    }
    assert_eq!(trail.attempts().len(), 1, "told by a count");
    let asked = Verdict::NotNow {
        fault: RouteFault::Throttled,
        after: 90,
    };
    let trail = self::trail(&[("a", 10, asked)]);
    assert_eq!(step(&a, code(), &trail, 10), "a at 100");
    assert_eq!(step(&a, code(), &trail, 599), "a at 599");
    let late = self::trail(&[("a", 590, asked)]);
    assert_eq!(step(&a, code(), &late, 590), "expired");
}

#[test]
fn who_cannot_take_a_message_is_never_asked_for_it_again() {
    let a = routes("a", "");
    assert_eq!(
        step(&a, code(), &trail(&[("a", 10, REFUSED)]), 10),
        "failed"
    );
    let ab = routes("ab", "");
    let both = trail(&[("a", 10, REFUSED), ("b", 11, DOWN)]);
    assert_eq!(step(&ab, code(), &both, 11), "b at 12");
}

#[test]
fn who_tells_repeats_is_asked_again_at_once_and_then_after_the_others() {
    let ab = routes("ab", "a");
    let once = trail(&[("a", 10, Verdict::Unknown)]);
    assert_eq!(step(&ab, code(), &once, 15), "a at 15");
    let twice = trail(&[("a", 10, Verdict::Unknown), ("a", 15, Verdict::Unknown)]);
    assert_eq!(step(&ab, code(), &twice, 15), "b at 15");
    let a = routes("a", "a");
    assert_eq!(step(&a, code(), &twice, 15), "a at 16");
}

#[test]
fn a_code_may_come_twice_and_a_notice_never() {
    let a = routes("a", "");
    let once = trail(&[("a", 10, Verdict::Unknown)]);
    assert_eq!(step(&a, code(), &once, 15), "a at 15");
    assert_eq!(step(&a, MessageKind::Removed, &once, 15), "failed");
    let keyed = routes("a", "a");
    assert_eq!(step(&keyed, MessageKind::Removed, &once, 15), "a at 15");
}

#[test]
fn a_route_that_has_failed_others_is_passed_over_unless_it_is_ready_first() {
    let ab = routes("ab", "");
    let until = |a: i64, b: i64| move |route: &str| Time(if route == "a" { a } else { b } * SECOND);
    let none = Trail::default();
    assert_eq!(step_with(&ab, code(), &none, until(25, 0), 10), "b at 10");
    assert_eq!(step_with(&ab, code(), &none, until(25, 30), 10), "a at 25");
    let skipped = trail(&[("a", 10, Verdict::Skipped)]);
    assert_eq!(
        step_with(&ab, code(), &skipped, until(25, 0), 10),
        "b at 10"
    );
    assert_eq!(
        step_with(&ab, code(), &none, until(700, 800), 10),
        "expired"
    );
}

#[test]
fn each_round_begins_with_the_next_route_that_serves_the_number() {
    let mut abc = routes("abc", "");
    let first = |routes: &Routes, country: &str, kind, round| {
        let first = routes.first(Some(country), kind, round);
        first.unwrap_or("none").to_owned()
    };
    for (round, route) in [(0, "a"), (1, "b"), (2, "c"), (3, "a"), (u32::MAX, "a")] {
        assert_eq!(first(&abc, "CH", code(), round), route, "{round}");
    }
    assert!(!abc.ask_country());
    abc.by_country
        .insert("FR".into(), vec!["c".into(), "a".into(), "gone".into()]);
    if let Some(a) = abc.rules.get_mut("a") {
        a.countries = ["CH".into()].into();
        a.kinds = ["code".into()].into();
    }
    assert!(abc.ask_country());
    assert_eq!(first(&abc, "FR", code(), 0), "c");
    assert_eq!(first(&abc, "FR", code(), 1), "c", "a does not serve France");
    assert_eq!(first(&abc, "CH", code(), 0), "a");
    assert_eq!(first(&abc, "CH", MessageKind::Removed, 0), "b");
    assert_eq!(abc.first(None, code(), 0), Some("b"), "of no country");
    abc.default.clear();
    assert_eq!(first(&abc, "DE", code(), 0), "none");
}

#[test]
fn a_trail_keeps_what_bars_a_route() {
    let mut trail = Trail::default();
    trail.add(attempt(1, "a", 1, REFUSED));
    trail.add(attempt(2, "b", 1, Verdict::Unknown));
    for (n, route) in (3..).zip("cdefghijklmnop".chars()) {
        trail.add(attempt(n, &route.to_string(), 1, DOWN));
    }
    assert_eq!(trail.attempts().len(), 8);
    assert_eq!(trail.of("a").count(), 1);
    assert_eq!(trail.of("b").count(), 1);
    assert_eq!(trail.last().map(|attempt| attempt.n), Some(16));
}

#[test]
fn a_trail_is_written_as_plain_json() {
    let trail = trail(&[("a", 10, REFUSED), ("b", 11, DOWN)]);
    let written = serde_json::to_string(&trail).expect("is json");
    assert_eq!(
        written,
        concat!(
            r#"[{"n":1,"route":"a","at":10000000,"ms":5,"times":1,"result":"unable","fault":"auth","#,
            r#""reason":"because"},"#,
            r#"{"n":2,"route":"b","at":11000000,"ms":5,"times":1,"result":"not_now","fault":"down","#,
            r#""after":0,"reason":"because"}]"#
        )
    );
    assert_eq!(serde_json::from_str::<Trail>(&written).ok(), Some(trail));
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(DOWN),
        Just(Verdict::NotNow {
            fault: RouteFault::Throttled,
            after: 7
        }),
        Just(REFUSED),
        Just(Verdict::Unknown),
        Just(Verdict::Skipped),
    ]
}

proptest! {
    #[test]
    fn a_message_is_tried_in_time_by_whoever_may_and_comes_to_an_end(
        count in 1..5_usize,
        tells in "[a-d]{0,3}",
        verdicts in proptest::collection::vec((verdicts(), 0..20_i64), 1..60),
        notice in any::<bool>(),
    ) {
        let routes = routes(&"abcd"[..count], &tells);
        let kind = if notice { MessageKind::Removed } else { code() };
        let order = routes.order(None, kind, 0);
        let expires_at = Time(600 * SECOND);
        let (mut trail, mut now) = (Trail::default(), Time(0));
        let mut barred: Vec<String> = Vec::new();
        let mut unknowns = 0;
        for (n, (verdict, seconds)) in (1..).zip(verdicts) {
            let waiting = Waiting { order: &order, routes: &routes, trail: &trail, kind, expires_at };
            let step = next(waiting, |_| Time(0), now);
            prop_assert_eq!(&step, &next(waiting, |_| Time(0), now), "the same again");
            let Step::Try { route, at } = step else {
                return Ok(());
            };
            prop_assert!(at >= now && at < expires_at);
            prop_assert!(!barred.contains(&route.to_owned()));
            let attempt = attempt(n, route, at.0 / SECOND, verdict);
            if matches!(verdict, Verdict::Unable { .. }) {
                barred.push(route.to_owned());
            }
            unknowns += usize::from(verdict == Verdict::Unknown && !tells.contains(route));
            prop_assert!(barred.len() + unknowns <= 2 * count);
            now = Time(at.0 + seconds * SECOND);
            trail.add(attempt);
            prop_assert!(trail.attempts().len() <= 8);
        }
    }
}
