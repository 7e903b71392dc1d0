//! `ringback sms-test`: sends one text over one route and says what came of it.

use std::path::PathBuf;

use anyhow::{Context, bail};
use ringback_core::delivery::Verdict;
use ringback_core::{Id, Number};
use ringback_sms::Sms;

use super::load;
use crate::app::source;
use crate::story::fault;
use crate::worker::routes;

/// `ringback sms-test`
#[derive(clap::Args)]
pub struct SmsTestArguments {
    /// As for `serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the text goes, such as +41791234567
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// The route's name in [sms.routes]
    #[arg(long, value_name = "NAME")]
    route: String,
}

/// Sends a text that says what it is; nothing is kept of it, and no limit counts it.
pub async fn sms_test(arguments: SmsTestArguments) -> anyhow::Result<()> {
    let SmsTestArguments { config, to, route } = arguments;
    let config = load(config)?;
    config.check_routes()?;
    let to = Number::parse(&to, &config.numbers).context("--to")?;
    let (routes, _) = routes(&config)?;
    let names: Vec<_> = routes.iter().map(|route| route.name.to_string()).collect();
    let Some(route) = routes.into_iter().find(|one| *one.name == *route) else {
        bail!(
            "--route: there is no {route:?}; there are {}",
            names.join(", ")
        );
    };
    let now = (source().now)();
    let service = &config.messages.service_name;
    let sms = Sms {
        id: Id::first_at(now).to_string(),
        text: format!(
            "A test of {service}: text messages arrive over the route {}.",
            route.name
        ),
        code: None,
        kind: "test",
        text_language: "en".to_owned(),
        language: "en".to_owned(),
        expires_at: now + std::time::Duration::from_secs(600),
        sender: route.senders.of(&to).map(str::to_owned),
        callback: None,
        to,
    };
    let (name, to) = (&route.name, sms.to.masked());
    match &sms.sender {
        Some(sender) => {
            println!("sending a test message to {to} over the route {name}, from {sender}")
        }
        None => println!(
            "sending a test message to {to} over the route {name}; its provider chooses the sender"
        ),
    }
    let report = route.provider.send(&sms, now).await;
    route.provider.close().await;
    let reference = report
        .reference
        .map(|id| format!(" as {}", super::on_a_line(&id)));
    match report.verdict {
        Verdict::Taken => {
            println!(
                "the route {name} took it{}; whether it arrives shows at the phone",
                reference.unwrap_or_default()
            );
            Ok(())
        }
        verdict => {
            let fault = fault(verdict);
            let fault = if fault.is_empty() {
                fault
            } else {
                format!(" ({fault})")
            };
            bail!(
                "the route {name} {}{fault}: {}",
                in_words(verdict),
                report.reason
            )
        }
    }
}

fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Taken => "took it",
        Verdict::NotNow { .. } => "does not take it now",
        Verdict::Unable { .. } => "cannot take it",
        Verdict::Never { .. } => "does not take it, as no route would",
        Verdict::Unknown => "did not say whether it took it, so it may arrive all the same",
        Verdict::Skipped => "was not asked",
    }
}
