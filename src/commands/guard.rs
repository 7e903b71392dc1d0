//! `ringback guard`: what is held back and why, letting it pass, and other rules over what was decided before.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use ringback_core::Policies;
use ringback_core::Time;
use ringback_core::delivery::write_cost;
use ringback_core::guard::{Counts, Mode, Place, Player, Replay, Standing};
use ringback_core::rights::Scope;
use ringback_store::Store;

use super::on_a_line;
use super::place::DatabaseArguments;
use crate::config::Config;

/// `ringback guard`
#[derive(clap::Subcommand)]
pub enum GuardCommand {
    /// Say how countries stand that codes went to in 24 hours, and which numbers that begin alike are held back
    Status(StatusArguments),
    /// Let codes to a country or to numbers that begin alike pass for a while, whatever was counted against them
    Allow(AllowArguments),
    /// Say what the rules of a configuration would have stopped of the codes that are on record, and whom they would have
    /// hurt
    Replay(ReplayArguments),
}

/// So many lines are printed.
const SHOWN: usize = 1_000;

/// `ringback guard status`
#[derive(clap::Args)]
pub struct StatusArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// Of this organisation only
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// Only what is held back, or would be if rules were enforced
    #[arg(long)]
    held: bool,
}

/// `ringback guard allow`
#[derive(clap::Args)]
#[group(id = "what", required = true, multiple = false, args = ["country", "prefix"])]
pub struct AllowArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// A country: two letters, or 001 for numbers that belong to none
    #[arg(long, value_name = "CODE", value_parser = Place::country)]
    country: Option<Place>,
    /// How the numbers begin, such as +4179123: all that are known to begin so
    #[arg(long, value_name = "PREFIX", value_parser = Place::prefix)]
    prefix: Option<Place>,
    /// For how long: 30m, 24h, 7d
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = span)]
    span: Duration,
    /// In this organisation; without, in the one of tokens that name none
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
}

/// `ringback guard replay`
#[derive(clap::Args)]
pub struct ReplayArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// From this time on, such as 2026-11-20T00:00:00Z; what was before is history. Without, a day ago
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Time>,
}

fn span(text: &str) -> Result<Duration, String> {
    let rule = || "must be a number and m, h or d, such as 24h, and at most 30d".to_owned();
    let unit = text.chars().last().ok_or_else(rule)?;
    let seconds: u64 = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(rule()),
    };
    let count: u64 = text.trim_end_matches(unit).parse().map_err(|_| rule())?;
    let seconds = count.checked_mul(seconds).ok_or_else(rule)?;
    match (60..=30 * 86_400).contains(&seconds) {
        true => Ok(Duration::from_secs(seconds)),
        false => Err(rule()),
    }
}

fn moment(text: &str) -> Result<Time, String> {
    let rule = "must be a time as RFC 3339 has it, such as 2026-11-20T00:00:00Z";
    let read: prost_types::Timestamp = text.parse().map_err(|_| rule.to_owned())?;
    let micros = read.seconds.checked_mul(1_000_000);
    let micros = micros.and_then(|micros| micros.checked_add(i64::from(read.nanos) / 1_000));
    micros.map(Time).ok_or_else(|| rule.to_owned())
}

/// `ringback guard`
pub async fn guard(command: GuardCommand) -> anyhow::Result<()> {
    match command {
        GuardCommand::Status(arguments) => status(arguments).await,
        GuardCommand::Allow(arguments) => allow(arguments).await,
        GuardCommand::Replay(arguments) => replay(arguments).await,
    }
}

async fn status(arguments: StatusArguments) -> anyhow::Result<()> {
    let (config, store) = arguments.database.open(Config::check_delivery).await?;
    let read = store.exchange_guard().await;
    read.context("reading the database")?;
    let policies = config.policies();
    let scope = match &arguments.org {
        Some(organization) => Scope::Organization(organization.clone()),
        None => Scope::Everywhere,
    };
    println!("{}", configured(&policies, arguments.org.as_deref()));
    let all = store.guard_standings(&scope).into_iter();
    let mut shown = all.filter(|(_, one)| !arguments.held || !one.reasons.is_empty());
    let mut organization = None;
    for (of, standing) in shown.by_ref().take(SHOWN) {
        if organization.as_ref() != Some(&of) {
            println!("organisation {}:", on_a_line(&of));
            organization = Some(of);
        }
        println!("  {}", line(&standing));
    }
    let more = shown.count();
    if more > 0 {
        println!("and {more} more; --held or --org shows fewer");
    }
    match (organization, arguments.held) {
        (Some(_), _) => {}
        (None, true) => println!("nothing is held back"),
        (None, false) => println!("nothing is held back, and no codes were sent in 24 hours"),
    }
    Ok(())
}

/// Which mode holds, and where another one does.
fn configured(policies: &Policies, organization: Option<&str>) -> String {
    let usual = policies.default.guard.mode;
    if let Some(organization) = organization {
        return mode(policies.of(organization).guard.mode).to_owned();
    }
    let mut lines = vec![mode(usual).to_owned()];
    for (id, own) in &policies.by_organization {
        if own.guard.mode != usual {
            let id = on_a_line(id);
            lines.push(format!(
                "in organisation {id} {} (organizations.{id}.guard.mode)",
                mode(own.guard.mode)
            ));
        }
    }
    lines.join("\n")
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "the guard is off",
        Mode::Record => "the guard records what it would hold back, and sends it",
        Mode::Enforce => "the guard enforces its rules",
    }
}

fn line(standing: &Standing) -> String {
    let place = match &standing.place {
        Place::Country(country) => country,
        Place::Prefix(prefix) => prefix,
    };
    let mut parts = vec![format!(
        "{place}: {} sent, {} answered in 24 hours",
        standing.sent, standing.answered
    )];
    if let Some(until) = standing.allowed_until {
        parts.push(format!("let pass until {}", time(until)));
    }
    for (reason, until) in &standing.reasons {
        let since = match standing.since {
            Some(since) => format!(" since {}", time(since)),
            None => String::new(),
        };
        let until = time(*until);
        parts.push(format!(
            "held back ({}){since} until {until}",
            reason.code()
        ));
    }
    parts.join("; ")
}

async fn allow(arguments: AllowArguments) -> anyhow::Result<()> {
    let (config, store) = arguments.database.open(Config::check_delivery).await?;
    let place = arguments.country.or(arguments.prefix);
    let place = place.ok_or_else(|| anyhow!("say --country or --prefix"))?;
    let organization = arguments.org;
    let organization = organization.unwrap_or_else(|| config.accounts.default_organization.clone());
    let guarded = config.policies().of(&organization).guard.mode != Mode::Off;
    ensure!(guarded, "the guard of {organization} is off (guard.mode)");
    ensure!(
        is_known(&config, &store, &organization).await?,
        "there is no user of {} and no section of it in the configuration; say its id with --org, or none",
        on_a_line(&organization)
    );
    let until = store.now() + arguments.span;
    let done = store.guard_allow(&organization, &place, until).await;
    let count = done.context("writing to the database")?;
    let what = match (&place, count) {
        (Place::Country(country), _) => country.clone(),
        (Place::Prefix(prefix), 1) => prefix.clone(),
        (Place::Prefix(prefix), count) => format!("{prefix} and {} longer ones", count - 1),
    };
    println!(
        "codes of {organization} to {what} pass until {}",
        time(until)
    );
    let policies = config.policies();
    let rules = &policies.of(&organization).guard;
    if matches!(&place, Place::Country(country) if !rules.serves_country(country)) {
        println!(
            "but the configuration sends none there: guard.allow_countries, guard.deny_countries"
        );
    }
    Ok(())
}

/// Whether an organisation has users, or rules of its own, or is the one of tokens that name none.
async fn is_known(config: &Config, store: &Store, organization: &str) -> anyhow::Result<bool> {
    let named = organization == config.accounts.default_organization
        || config.policies().by_organization.contains_key(organization);
    if named {
        return Ok(true);
    }
    let mut accounts = store.accounts(Some(organization));
    let first = accounts.next(1).await.context("reading the database")?;
    Ok(!first.is_empty())
}

async fn replay(arguments: ReplayArguments) -> anyhow::Result<()> {
    let (config, store) = arguments.database.open(Config::check_delivery).await?;
    let policies = config.policies();
    let day_ago = store.now() - Duration::from_secs(86_400);
    let from = arguments.from.unwrap_or(day_ago);
    let mut player = Player::new(&policies, from);
    // What rules ask of the past.
    let history = from - Duration::from_secs(15 * 86_400);
    let mut after = None;
    let (mut read, mut unread) = (0_u64, 0_u64);
    loop {
        let page = store.recorded_decisions(history, after).await;
        let page = page.context("reading the database")?;
        for one in &page.records {
            player.play(one);
        }
        read += page.records.len() as u64;
        unread += page.unread;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let replay = player.end();
    println!("from {} on, by these rules enforced:", time(from));
    print!("{}", told(&replay));
    println!("events read, history included: {read}");
    if unread > 0 {
        println!("not read, as they are from before the guard kept what it was asked: {unread}");
    }
    Ok(())
}

fn told(replay: &Replay) -> String {
    let Replay {
        sent,
        answered,
        refused,
        stopped,
        by_reason,
        released,
    } = replay;
    let mut lines = vec![
        format!("codes sent: {sent}, handed in: {answered}"),
        format!("would have been stopped: {}", counts(*stopped)),
    ];
    let mut by_reason: Vec<_> = by_reason.iter().collect();
    by_reason.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.stopped));
    lines.extend(by_reason.into_iter().map(|((reason, country), one)| {
        format!("  {} {country}: {}", reason.code(), counts(*one))
    }));
    if *refused > 0 {
        lines.push(format!(
            "codes refused then: {refused}, of which would have been sent: {released}"
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn counts(counts: Counts) -> String {
    let Counts {
        stopped,
        hurt,
        cost,
    } = counts;
    let cost = match cost {
        0 => String::new(),
        cost => format!(", which cost about {}", write_cost(cost)),
    };
    format!("{stopped}{cost}; handed in of them: {hurt}")
}

fn time(at: Time) -> String {
    crate::api::shared::timestamp(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments_are_read() {
        assert_eq!(span("30m"), Ok(Duration::from_secs(1_800)));
        assert_eq!(span("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(span("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for wrong in [
            "",
            "h",
            "24",
            "-1h",
            "1w",
            "31d",
            "0h",
            "99999999999999999999d",
            "1 h",
        ] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
        assert_eq!(moment("1970-01-01T00:00:01.5Z"), Ok(Time(1_500_000)));
        for wrong in ["", "yesterday", "2026-13-01T00:00:00Z"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
