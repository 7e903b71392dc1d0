//! `ringback check`: what is wrong with a configuration, or who a token is.

use std::path::PathBuf;

use anyhow::{Context, bail};
use ringback_store::Inspection;

use super::load;
use crate::app::{self, source};
use crate::auth::Auth;
use crate::story::counted;
use crate::telemetry;
use crate::tls::Tls;
use crate::worker::{Callbacks, routes};

/// `ringback check`: says everything that is wrong, not only the first thing.
pub async fn check(file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check()?;
    println!("configuration: ok");
    for (number, section) in &config.test_numbers {
        println!(
            "test number {number}: its code is fixed, until {}",
            section.until
        );
    }
    for remark in config.remarks() {
        println!("note: {remark}");
    }
    let mut wrong = Vec::new();
    for line in config.texts()?.describe() {
        println!("{line}");
    }
    for (one, other) in config.auth.overlaps() {
        println!(
            "issuers {one} and {other}: each says by a claim where its users belong, so users of the same id \
             are one user where both name the same organisation; set organization where all users of an issuer \
             belong to one"
        );
    }
    if let Err(error) = telemetry::check(&config.log) {
        wrong.push(error.to_string());
    }
    match Tls::open(&config.tls) {
        Ok(Some(_)) => println!("certificate: ok"),
        Ok(None) => {}
        Err(error) => wrong.push(error.to_string()),
    }
    let settings = app::settings(&config);
    match ringback_store::inspect(&settings).await {
        Ok(found) => println!("database: ok: {}", in_words(&found)),
        Err(error) => wrong.push(format!("database: {error:#}")),
    }
    let clock = source().now;
    match Auth::new(&config.auth, &config.accounts.default_organization, clock) {
        Ok(auth) => {
            for (name, reached) in auth.check().await {
                match reached {
                    Ok(()) => println!("issuer {name}: ok"),
                    Err(reason) => wrong.push(format!("issuer {name}: {reason}")),
                }
            }
        }
        Err(error) => wrong.push(error.to_string()),
    }
    match routes(&config) {
        Ok((routes, _)) => {
            let callbacks = Callbacks::new(&config.server.public_url);
            for route in &routes {
                match route.provider.check().await {
                    Ok(()) => println!("route {}: ok", route.name),
                    Err(error) => wrong.push(format!("route {}: {error}", route.name)),
                }
                if route.provider.sends_inbound() && !config.server.public_url.is_empty() {
                    let at = callbacks.inbound(&route.name);
                    println!(
                        "route {}: what people write back (STOP, START) is taken at {at}",
                        route.name
                    );
                }
            }
        }
        Err(error) => wrong.push(format!("{error:#}")),
    }
    for (name, endpoint) in &config.events.endpoints {
        let reached = match endpoint.hook() {
            Ok(hook) => hook.check().await,
            Err(error) => Err(error),
        };
        match reached {
            Ok(()) => println!("endpoint {name}: ok"),
            Err(error) => wrong.push(format!("endpoint {name}: {error}")),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{}", wrong.join("\nringback: "))
}

fn in_words(found: &Inspection) -> String {
    let Inspection {
        place,
        missing,
        version,
        known,
        accounts,
        pooled,
        encrypted,
    } = found;
    let tables = match (missing, version) {
        (true, _) => "not there yet, the first start makes it".to_owned(),
        (false, 0) => "no tables yet, the first start makes them".to_owned(),
        (false, version) if version < known => {
            format!("tables of version {version}, which the next start brings to {known}")
        }
        (false, version) => format!("tables of version {version}"),
    };
    let accounts = match version {
        0 => String::new(),
        _ => format!(", {}", counted(*accounts, "account")),
    };
    let pooled = match pooled {
        true => ", behind a pooler in transaction mode",
        false => "",
    };
    let encrypted = match encrypted {
        Some(true) => ", encrypted",
        Some(false) => ", not encrypted",
        None => "",
    };
    format!("{place}: {tables}{accounts}{pooled}{encrypted}")
}

/// `ringback check --token`: says who a token is and what it may, or why it is refused.
pub async fn check_token(file: Option<PathBuf>, token: String) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check_auth()?;
    let token = match token.as_str() {
        "-" => std::io::read_to_string(std::io::stdin()).context("reading the token")?,
        _ => token,
    };
    let clock = source().now;
    let auth = app::auth(&config, &mut app::apis(&config), clock)?;
    match auth.explain(&token).await {
        Ok(lines) => println!("the token is accepted\n{}", lines.join("\n")),
        Err(reason) => bail!("the token is refused: {reason}"),
    }
    Ok(())
}
