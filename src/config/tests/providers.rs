//! Tests of what routes of each provider may say.

use super::*;

fn with(route: &str, more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let least = ENOUGH.iter().filter(|(name, _)| !name.contains("RELAY"));
    let least: Vec<_> = least.copied().collect();
    let file = file(&format!(
        "[server]\npublic_url = \"https://phones.example.com\"\n{route}"
    ));
    Config::load(Some(file.path()), variables(&[&least[..], more].concat()))
}

const TWILIO: &str =
    "[sms.routes.texts]\ntype = \"twilio\"\naccount = \"AC0123456789abcdef0123456789abcdef\"\n";
const VONAGE: &str = "[sms.routes.texts]\ntype = \"vonage\"\napi_key = \"abcd1234\"\n";
const HTTP: &str = "[sms.routes.texts]\ntype = \"http\"\nurl = \"https://sms.example.com/send\"\n\
     form = { to = \"{to}\", text = \"{text}\", key = \"{secret.key}\" }\nerrors = { \"400 /code=7\" = \"invalid\" }\n";

#[test]
fn secrets_come_from_the_environment_and_are_never_shown() {
    for (route, secret) in [
        (TWILIO, "RINGBACK_SMS__ROUTES__TEXTS__AUTH_TOKEN"),
        (VONAGE, "RINGBACK_SMS__ROUTES__TEXTS__API_SECRET"),
        (HTTP, "RINGBACK_SMS__ROUTES__TEXTS__SECRET__KEY"),
    ] {
        let missing = with(route, &[]).unwrap().check();
        let problem = missing.expect_err("a secret is missing").to_string();
        assert!(problem.contains("sms.routes.texts."), "{problem}");
        // A secret of digits stays a text.
        let config = with(route, &[(secret, "123456789012")]).unwrap();
        config.check().unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("123456789012"), "{shown}");
    }
}

#[test]
fn what_is_wrong_is_told_by_its_key() {
    let key = ("RINGBACK_SMS__ROUTES__TEXTS__SECRET__KEY", "k");
    let says = |route: &str, more: &[(&str, &str)]| {
        let checked = with(route, more).and_then(|config| config.check());
        checked.expect_err("must be refused").to_string()
    };
    for (more, place) in [
        ("url = \"https://10.0.0.1/\"\n", "sms.routes.texts.url"),
        (
            "errors = { \"400\" = \"hunter2\" }\n",
            "sms.routes.texts.errors",
        ),
        (
            "colour = \"hunter2\"\n",
            "sms.routes.texts.colour: no such key",
        ),
        (
            "headers = \"hunter2\"\n",
            "sms.routes.texts.headers: must be a table",
        ),
        (
            "method = [\"hunter2\"]\n",
            "sms.routes.texts.method: must be a text",
        ),
        (
            "receipt = { status = \"hunter2\" }\n",
            "sms.routes.texts.receipt",
        ),
    ] {
        let name = more.split(' ').next().unwrap_or_default();
        let kept = HTTP.lines().filter(|line| !line.starts_with(name));
        let route: String = kept.map(|line| format!("{line}\n")).collect();
        let text = says(&format!("{route}{more}"), &[key]);
        assert!(text.contains(place), "{more}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let text = says(TWILIO, &[("RINGBACK_SMS__ROUTES__TEXTS__API_KEY", "SK1")]);
    assert!(text.contains("sms.routes.texts.api_key"), "{text}");
    let text = says(VONAGE, &[]);
    assert!(text.contains("sms.routes.texts.api_secret"), "{text}");
}

#[test]
fn receipts_need_an_address_that_they_come_to() {
    let without = |route: &str, more: &[(&str, &str)]| {
        let no_url = [("RINGBACK_SERVER__PUBLIC_URL", "")];
        with(route, &[more, &no_url].concat()).unwrap().check()
    };
    let receipt =
        format!("{HTTP}receipt = {{ status = \"/s\", values = {{ d = \"delivered\" }} }}\n");
    let key = [("RINGBACK_SMS__ROUTES__TEXTS__SECRET__KEY", "k")];
    let problem = without(&receipt, &key).expect_err("an address is missing");
    assert!(problem.to_string().contains("server.public_url"));
    without(HTTP, &key).unwrap();
    let vonage = [
        ("RINGBACK_SMS__ROUTES__TEXTS__API_SECRET", "k"),
        ("RINGBACK_SMS__ROUTES__TEXTS__SIGNATURE_SECRET", "k"),
    ];
    assert!(without(VONAGE, &vonage).is_err());
    without(VONAGE, &vonage[..1]).unwrap();
    // Its token sends, too.
    without(TWILIO, &[("RINGBACK_SMS__ROUTES__TEXTS__AUTH_TOKEN", "k")]).unwrap();
}

#[test]
fn a_country_is_named_once_however_it_is_spelled() {
    let key = ("RINGBACK_SMS__ROUTES__TEXTS__SECRET__KEY", "k");
    for (more, places) in [
        (
            "[sms.order]\nCH = [\"texts\"]\nch = [\"texts\"]\ndefault = [\"texts\"]\n",
            ["sms.order.CH", "sms.order.ch"],
        ),
        (
            "[sms.routes.texts.sender_by_country]\ngb = \"One\"\nGB = \"Two\"\n",
            [
                "sms.routes.texts.sender_by_country.GB",
                "sms.routes.texts.sender_by_country.gb",
            ],
        ),
    ] {
        let checked = with(&format!("{HTTP}{more}"), &[key]).unwrap().check();
        let text = checked.expect_err("must be refused").to_string();
        for place in places {
            let says = format!("{place}: is there in capitals and in small letters");
            assert!(text.contains(&says), "{text}");
        }
    }
}

#[test]
fn a_signature_of_the_body_says_nothing_of_the_query() {
    let key = ("RINGBACK_SMS__ROUTES__TEXTS__SECRET__KEY", "k");
    let signed = "signed = \"hmac_sha256\", header = \"x-signature\", secret = \"key\"";
    let values = "values = { d = \"delivered\" }";
    let base = format!("{HTTP}query = {{ dlr = \"{{callback}}\" }}\n");
    for (more, place) in [
        (
            format!("receipt = {{ status = \"query.s\", {values}, {signed} }}\n"),
            "receipt.status",
        ),
        (
            format!("receipt = {{ status = \"/s\", error = \"query.e\", {values}, {signed} }}\n"),
            "receipt.error",
        ),
        (
            format!("inbound = {{ from = \"query.from\", text = \"/text\", {signed} }}\n"),
            "inbound.from",
        ),
        (
            format!("inbound = {{ from = \"/from\", text = \"query.text\", {signed} }}\n"),
            "inbound.text",
        ),
    ] {
        let checked = with(&format!("{base}{more}"), &[key]).and_then(|config| config.check());
        let text = checked.expect_err("must be refused").to_string();
        let says = format!("sms.routes.texts.{place}: must be in the body");
        assert!(text.contains(&says), "{text}");
        let body = more.replace("query.", "/");
        let checked = with(&format!("{base}{body}"), &[key]).and_then(|config| config.check());
        checked.unwrap_or_else(|error| panic!("{body}: {error}"));
    }
}

#[test]
fn the_recipes_are_read_as_they_are() {
    let folder = format!("{}/recipes", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let recipe = std::fs::read_to_string(&path).unwrap();
        let shown = path.display();
        let filled: String = recipe
            .lines()
            .map(|line| match line {
                line if line.starts_with("secret =") => line.replace("\"\"", "\"x\"") + "\n",
                line => format!("{line}\n"),
            })
            .collect();
        if filled != recipe {
            let problem = with(&recipe, &[])
                .unwrap()
                .check()
                .expect_err("a secret is empty");
            assert!(
                problem.to_string().contains(".secret."),
                "{shown}: {problem}"
            );
        }
        let checked = with(&filled, &[]).unwrap().check();
        checked.unwrap_or_else(|error| panic!("{shown}: {error}"));
        count += 1;
    }
    assert_eq!(count, 12);
}
