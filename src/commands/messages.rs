//! `ringback messages`: what became of text messages, and having one tried again.

use anyhow::{Context, bail};
use ringback_core::delivery::{State, write_cost};
use ringback_core::rights::{Rights, Scope};
use ringback_core::{Caller, Id, Number, Time};
use ringback_store::{MessageQuery, MessageRecord, Rules, Store};

use super::on_a_line;
use super::place::DatabaseArguments;
use crate::config::Config;
use crate::story::{blocked, counted, fault, story};

/// `ringback messages`
#[derive(clap::Args)]
pub struct MessagesArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// Those of this user only
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Those of this organisation only
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// Those to this number only, such as +41791234567
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// Those in this state only: queued, handed, delivered, undelivered, expired, superseded, refused, failed
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,
    /// At most so many, the newest ones
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// This one only, with all that was tried
    #[arg(long, value_name = "ID", value_parser = id)]
    id: Option<Id>,
    /// Has this one tried again, as long as its code is of use
    #[arg(long, value_name = "ID", value_parser = id, conflicts_with = "id")]
    retry: Option<Id>,
}

fn state(text: &str) -> Result<State, String> {
    let names = State::ALL.map(State::code).join(", ");
    State::from_code(text).ok_or_else(|| format!("there are {names}"))
}

fn id(text: &str) -> Result<Id, String> {
    Id::parse(text)
        .ok_or_else(|| "must be the id of a message, as this command lists it".to_owned())
}

/// `ringback messages`
pub async fn messages(arguments: MessagesArguments) -> anyhow::Result<()> {
    let (config, store) = arguments.database.open(Config::check_delivery).await?;
    let mut caller = Caller::new("ringback messages", &config.accounts.default_organization);
    caller.everywhere = Rights {
        read_messages: true,
        write_messages: true,
        ..Rights::NONE
    };
    let scope = match &arguments.org {
        Some(organization) => Scope::Organization(organization.clone()),
        None => Scope::Everywhere,
    };
    let now = store.now();
    if let Some(id) = arguments.retry {
        let retried = store
            .retry_message(&scope, id)
            .await
            .context("reading the database")?;
        let record = retried?;
        print_one(&record, store.rules(), now);
        return Ok(());
    }
    if let Some(id) = arguments.id {
        let found = store
            .find_message(&scope, id)
            .await
            .context("reading the database")?;
        let Some(record) = found else {
            bail!("there is no message {id}; messages are kept for sms.keep_seconds");
        };
        print_one(&record, store.rules(), now);
        return Ok(());
    }
    let number = arguments.number.as_deref();
    let number = number.map(|text| Number::parse(text, &config.numbers));
    let query = MessageQuery {
        scope,
        account: arguments.user,
        number: number.transpose().context("--number")?,
        state: arguments.state,
        before: None,
        limit: arguments.limit,
    };
    list(&store, &caller, &query, now).await
}

async fn list(
    store: &Store,
    caller: &Caller,
    query: &MessageQuery,
    now: Time,
) -> anyhow::Result<()> {
    let found = store
        .list_messages(caller, query)
        .await
        .context("reading the database")?;
    if found.is_empty() {
        println!("no such message; messages are kept for sms.keep_seconds");
    }
    for record in &found {
        print_head(record, store.rules(), now);
    }
    let why = blocked(store, caller, query, &found).await;
    if let Some(why) = why.context("reading the database")? {
        println!("{why}");
    }
    Ok(())
}

fn print_head(record: &MessageRecord, rules: &Rules, now: Time) {
    let cost = match record.trail.cost() {
        0 => String::new(),
        cost => format!(", cost {}", write_cost(cost)),
    };
    println!(
        "{} {} {} {} to {}, user {} of {}{cost}\n    {}",
        time(record.created_at),
        record.id,
        record.state.code(),
        record.kind,
        record.mask,
        on_a_line(&record.account),
        on_a_line(&record.organization),
        story(record, rules, now)
    );
}

fn print_one(record: &MessageRecord, rules: &Rules, now: Time) {
    print_head(record, rules, now);
    for attempt in record.trail.attempts() {
        let fault = fault(attempt.verdict);
        let fault = if fault.is_empty() {
            fault
        } else {
            format!(" ({fault})")
        };
        let times = match attempt.times {
            0 | 1 => String::new(),
            times => format!(", {times} times"),
        };
        let cost = match attempt.cost {
            0 => String::new(),
            cost => format!(
                ", {} for {}",
                counted(attempt.segments, "segment"),
                write_cost(cost)
            ),
        };
        println!(
            "    {} attempt {} {} {}{fault}{times} after {} ms{cost} {}",
            time(attempt.at),
            attempt.n,
            attempt.route,
            attempt.verdict.code(),
            attempt.ms,
            on_a_line(&attempt.reason)
        );
    }
}

fn time(at: Time) -> String {
    crate::api::shared::timestamp(at).to_string()
}
