//! `ringback config`, secrets from files, and variables that are passed over or ignored.

use std::fs;

use serde_json::json;

use super::harness::{Program, Server, Setup, admin, fresh_data, number, run, secrets};
use crate::database::Database;

const REFERENCE: &str = include_str!("../../../ringback.default.toml");

const OPERATING: &str = include_str!("../../../docs/OPERATING.md");

#[tokio::test]
async fn every_command_is_in_the_table_of_the_page() {
    let help = run(&["--help"]).await.output;
    let (_, commands) = help.split_once("Commands:\n").expect("a list of commands");
    let names: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 15, "{help}");
    let rows: Vec<&str> = OPERATING
        .lines()
        .filter(|line| line.starts_with("| `ringback "))
        .collect();
    for name in names {
        let told = [format!("`ringback {name} "), format!("`ringback {name}`")];
        let is_told = |row: &&str| told.iter().any(|name| row.contains(name.as_str()));
        assert!(
            rows.iter().any(is_told),
            "ringback {name} is in no row of docs/OPERATING.md"
        );
    }
}

#[tokio::test]
async fn commands_on_a_database_make_none() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("elsewhere.db");
    let config = directory.path().join("ringback.toml");
    let text = format!("[database]\nurl = \"sqlite:{}\"\n", file.display());
    fs::write(&config, text).expect("a file");
    let (config, file_name) = (
        config.to_str().expect("a path"),
        file.to_str().expect("a path"),
    );
    let commands: [&[&str]; 10] = [
        &["messages"],
        &["events"],
        &["events", "redeliver", "--endpoint", "app"],
        &["audit", "verify"],
        &["guard", "status"],
        &["guard", "allow", "--country", "CH"],
        &["guard", "replay"],
        &["export"],
        &["unlock", "--user", "ann"],
        &["erase", "--user", "ann"],
    ];
    for command in commands {
        let ended = run(&[command, &["--config", config]].concat()).await;
        ended.refuses(&[
            "there is no database",
            file_name,
            "--config",
            "database.url",
            "RINGBACK_DATABASE__URL",
            "--data-dir",
        ]);
    }
    for command in [["import", config], ["backup", "copy.db"]] {
        let ended = run(&[command.as_slice(), &["--config", config]].concat()).await;
        ended.refuses(&["there is no database", file_name]);
    }
    assert!(!file.exists(), "a command made {file_name}");

    let made = run(&["migrate", "--config", config]).await;
    assert!(
        made.output.starts_with("made the database sqlite:"),
        "{}",
        made.output
    );
    let again = run(&["migrate", "--config", config]).await;
    assert!(again.output.contains("were up to date"), "{}", again.output);
}

#[tokio::test]
async fn the_reference_is_printed_and_is_a_configuration() {
    let ended = run(&["config"]).await;
    assert!(ended.status.success(), "{}", ended.errors);
    assert_eq!(ended.output, REFERENCE);
    assert_eq!(ended.errors, "");

    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("ringback.toml");
    fs::write(&file, ended.output).expect("a file");
    let path = file.to_str().expect("a path");
    // As it is it lacks what has no default, and nothing else.
    let ended = run(&["check", "--config", path]).await;
    ended.refuses(&[
        "secrets.code_keys",
        "auth.issuers",
        "sms.routes",
        "ringback config",
    ]);
    let [code_key, pseudonym_key] = secrets();
    let variables = [
        ("RINGBACK_SECRETS__CODE_KEYS__1", code_key.as_str()),
        ("RINGBACK_SECRETS__PSEUDONYM_KEY", &pseudonym_key),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__ISSUER",
            "https://login.example.com",
        ),
        ("RINGBACK_AUTH__ISSUERS__MAIN__AUDIENCES", "ringback"),
        ("RINGBACK_AUTH__ISSUERS__MAIN__ALGORITHMS", "HS256"),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__SECRET",
            super::harness::TOKEN_SECRET,
        ),
        ("RINGBACK_SMS__ROUTES__INBOX__TYPE", "inbox"),
    ];
    let pairs: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut launcher = vec!["env"];
    launcher.extend(pairs.iter().map(String::as_str));
    let check = ["check", "--config", path];
    let ended = Program::start_through(&launcher, &check, None).end().await;
    assert!(ended.status.success(), "{}", ended.errors);
}

#[tokio::test]
async fn the_settings_in_effect_are_printed_without_secrets() {
    let setup = Setup::new("postgres://me:hunter2@db/x")
        .with_webhook("https://sms.example.com/send")
        .with("codes.length", 8)
        .with_variable("RINGBACK_CODES__GUESSES", "4");
    let ended = setup.run("config").await;
    assert!(ended.status.success(), "{}", ended.errors);
    for part in [
        "length = 8    # /",
        "guesses = 4    # RINGBACK_CODES__GUESSES\n",
        "validity_seconds = 600\n",
        "url = \"postgres://me:…@db/x\"    # /",
        "1 = \"…\"    # /",
        "url = \"https://sms.example.com/send\"    # /",
    ] {
        assert!(ended.output.contains(part), "not {part}: {}", ended.output);
    }
    for secret in secrets().iter().map(String::as_str).chain([
        "hunter2",
        "whsec_",
        super::harness::TOKEN_SECRET,
    ]) {
        assert!(!ended.output.contains(secret), "{}", ended.output);
    }
    let ended = setup.with("codes.lenght", 8).run("config").await;
    ended.refuses(&["codes.lenght: no such key, did you mean codes.length?"]);
}

async fn secrets_are_read_from_files(database: Database) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hold = |name: &str, value: &str| {
        let path = directory.path().join(name);
        fs::write(&path, format!("{value}\n")).expect("a file");
        path.to_str().expect("a path").to_owned()
    };
    let [code_key, pseudonym_key] = secrets();
    let setup = Setup::new(&database.url)
        .without("database.url")
        .without("secrets")
        .without("auth.issuers.main.secret")
        .with_variable("RINGBACK_DATABASE__URL_FILE", &hold("url", &database.url))
        .with_variable(
            "RINGBACK_SECRETS__CODE_KEYS__1_FILE",
            &hold("code", &code_key),
        )
        .with_variable(
            "RINGBACK_SECRETS__PSEUDONYM_KEY_FILE",
            &hold("pseudonym", &pseudonym_key),
        )
        .with_variable(
            "RINGBACK_AUTH__ISSUERS__MAIN__SECRET_FILE",
            &hold("token", super::harness::TOKEN_SECRET),
        );
    let server = Server::start(&setup).await;
    let body = json!({"userId": "ann", "phone": {"phone": number(1)}});
    assert_eq!(
        server.post("/v2/users/human", &admin(), body).await.status,
        200
    );
    drop(server);

    let nowhere = setup
        .clone()
        .with_variable("RINGBACK_DATABASE__URL_FILE", "/no/such/secret");
    let ended = nowhere.run("serve").await;
    ended.refuses(&["RINGBACK_DATABASE__URL_FILE: /no/such/secret cannot be read"]);
    let twice = setup.with_variable("RINGBACK_SECRETS__PSEUDONYM_KEY", "hunter2");
    let ended = twice.run("serve").await;
    ended.refuses(&["RINGBACK_SECRETS__PSEUDONYM_KEY_FILE: sets the same key as RINGBACK_SECRETS__PSEUDONYM_KEY"]);
}

async fn a_cluster_s_variables_are_passed_over_in_one_line(database: Database) {
    let setup = Setup::new(&database.url)
        .with_variable("RINGBACK_SERVICE_HOST", "10.0.0.1")
        .with_variable("RINGBACK_PORT_8080_TCP_ADDR", "10.0.0.1")
        .with_variable("RINGBACK_WORKER_PORT", "tcp://10.0.0.2:8080");
    let line = "RINGBACK_PORT_8080_TCP_ADDR, RINGBACK_SERVICE_HOST, RINGBACK_WORKER_PORT";
    let quiet = Server::start(&setup).await;
    assert!(
        !quiet.program.printed().contains("RINGBACK_"),
        "{}",
        quiet.program.printed()
    );
    drop(quiet);
    let loud = Server::start(&setup.clone().with_variable("RINGBACK_LOG", "debug")).await;
    let printed = loud.program.printed();
    assert_eq!(printed.matches(line).count(), 1, "{printed}");
    drop(loud);
    let meant = setup.clone().with_variable("RINGBACK_PORT", "9000");
    let told = Server::start(&meant).await;
    let printed = told.program.printed();
    assert!(
        printed.contains("set RINGBACK_SERVER__LISTEN=127.0.0.1:8080"),
        "{printed}"
    );
    drop(told);
    let ended = setup
        .with_variable("RINGBACK_SERVER_LISTEN", "127.0.0.1:0")
        .run("serve")
        .await;
    ended.refuses(&[
        "RINGBACK_SERVER_LISTEN: is no key",
        "did you mean RINGBACK_SERVER__LISTEN?",
    ]);
}

#[tokio::test]
async fn dev_says_which_variables_it_ignores() {
    let (_directory, data) = fresh_data();
    let path = data.to_str().expect("a path");
    let launcher = [
        "env",
        "RINGBACK_DATABASE__URL=postgres://me:hunter2@db/x",
        "RINGBACK_SECRETS__PSEUDONYM_KEY_FILE=/no/such/file",
        "RINGBACK_CODES__LENGTH=8",
    ];
    let arguments = ["dev", "--listen", "127.0.0.1:0", "--data-dir", path];
    let mut program = Program::start_through(&launcher, &arguments, None);
    program.says("ringback listens on").await;
    let printed = program.printed();
    for (text, times) in [
        ("RINGBACK_DATABASE__URL is ignored", 1),
        ("--database-url", 1),
        ("RINGBACK_SECRETS__PSEUDONYM_KEY_FILE is ignored", 1),
        ("RINGBACK_CODES__LENGTH", 0),
        ("hunter2", 0),
    ] {
        assert_eq!(printed.matches(text).count(), times, "{text}: {printed}");
    }
}

crate::on_both!(
    secrets_are_read_from_files,
    a_cluster_s_variables_are_passed_over_in_one_line,
);
