//! `ringback events`: what happened to accounts, listed and followed.

use std::time::Duration;

use anyhow::{Context, bail};
use ringback_core::rights::{Rights, Scope};
use ringback_core::{Caller, Number};
use ringback_store::{EventQuery, Store};
use serde_json::{Value, json};

use super::on_a_line;
use super::place::DatabaseArguments;
use super::remote::{Server, ServerArguments};
use crate::config::Config;
use crate::events::as_json;
use crate::story::counted;

/// How often whoever follows looks again.
const LOOK: Duration = Duration::from_secs(1);
/// Events that whoever follows takes at once.
const PAGE: u32 = 200;

/// `ringback events`
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct EventsArguments {
    #[command(subcommand)]
    command: Option<EventsCommand>,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    server: ServerArguments,
    /// Those of this user only
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Those of this organisation only
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// Those about this number only, such as +41791234567
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// Those of this kind only, such as phone.verified, or "phone.*"; may be given several times
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// At most so many, the newest ones
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// All of them, the oldest first, and then whatever happens, until it is stopped
    #[arg(long, conflicts_with = "limit")]
    follow: bool,
    /// Each as a JSON object on a line of its own
    #[arg(long)]
    json: bool,
}

/// What else can be done with events.
#[derive(clap::Subcommand)]
enum EventsCommand {
    /// Tell an endpoint again: of what was given up, or of everything from a position on
    Redeliver(RedeliverArguments),
}

/// `ringback events redeliver`
#[derive(clap::Args)]
struct RedeliverArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// Which one, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    endpoint: String,
    /// The position of the first event, as `ringback events` shows it
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<i64>,
}

async fn redeliver(arguments: RedeliverArguments) -> anyhow::Result<()> {
    let (_, store) = arguments.database.open(Config::check_delivery).await?;
    let endpoint = arguments.endpoint;
    let again = store.redeliver(&endpoint, arguments.from).await;
    let Some(again) = again.context("reading the database")? else {
        bail!(
            "no endpoint {endpoint} was ever told anything: --endpoint is NAME of [events.endpoints.NAME], and a new one \
             begins with what happens next, once `ringback serve` or `ringback worker` runs with it"
        );
    };
    match arguments.from {
        Some(from) => {
            println!(
                "{endpoint} is told of everything from {from} on: up to {}",
                counted(again, "event")
            )
        }
        None => match again {
            0 => println!("{endpoint} has taken all it was told of: nothing was given up"),
            1 => println!("{endpoint} is told of 1 event that was given up"),
            again => println!("{endpoint} is told of {again} events that were given up"),
        },
    }
    Ok(())
}

/// `ringback events`
pub async fn events(arguments: EventsArguments) -> anyhow::Result<()> {
    let EventsArguments {
        command,
        database,
        server,
        user,
        org,
        number,
        kinds,
        limit,
        follow,
        json,
    } = arguments;
    if let Some(EventsCommand::Redeliver(arguments)) = command {
        return redeliver(arguments).await;
    }
    let server = server.server(org.as_deref())?;
    let asked = Asked {
        user,
        number,
        kinds,
        limit: if follow { PAGE } else { limit },
        follow,
        json,
    };
    if let Some(server) = server {
        return asked.of_server(&server).await;
    }
    let (config, store) = database.open(Config::check_delivery).await?;
    let mut caller = Caller::new("ringback events", &config.accounts.default_organization);
    caller.everywhere = Rights {
        read_audit: true,
        ..Rights::NONE
    };
    let number = asked.number.as_deref();
    let number = number.map(|text| Number::parse(text, &config.numbers));
    let query = EventQuery {
        scope: match org {
            Some(organization) => Scope::Organization(organization),
            None => Scope::Everywhere,
        },
        account: asked.user.clone(),
        number: number.transpose().context("--number")?,
        kinds: asked.kinds.clone(),
        from: None,
        until: None,
        oldest_first: asked.follow,
        after: None,
        limit: asked.limit,
    };
    asked.of_store(&store, &caller, query).await
}

/// What is asked for, and how it is shown.
struct Asked {
    user: Option<String>,
    number: Option<String>,
    kinds: Vec<String>,
    limit: u32,
    follow: bool,
    json: bool,
}

impl Asked {
    async fn of_store(
        &self,
        store: &Store,
        caller: &Caller,
        mut query: EventQuery,
    ) -> anyhow::Result<()> {
        loop {
            let page = store.list_events(caller, &query).await;
            let page = page.context("reading the database")?;
            let events: Vec<Value> = page.events.iter().map(as_json).collect();
            self.show(&events);
            if !self.follow {
                return Ok(());
            }
            query.after = page.next;
            if events.len() < self.limit as usize {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    async fn of_server(&self, server: &Server) -> anyhow::Result<()> {
        let mut body = json!({
            "userId": self.user,
            "phone": self.number,
            "kinds": self.kinds,
            "limit": self.limit,
            "oldestFirst": self.follow,
        });
        if self.follow {
            body["waitSeconds"] = 8.into();
        }
        loop {
            let page = server.ask("/v2/events/search", &body).await?;
            let events = page["events"].as_array().cloned().unwrap_or_default();
            self.show(&events);
            if !self.follow {
                return Ok(());
            }
            body["pageToken"] = page["nextPageToken"].clone();
        }
    }

    /// The oldest of them first, as one reads.
    fn show(&self, events: &[Value]) {
        if events.is_empty() && !self.follow && !self.json {
            println!("no such event");
        }
        let show = |event: &Value| match self.json {
            true => println!("{event}"),
            false => println!("{}", on_a_line(&line(event))),
        };
        match self.follow {
            true => events.iter().for_each(show),
            false => events.iter().rev().for_each(show),
        }
    }
}

/// An event as a line to read.
fn line(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    // What happens to messages by itself, nobody asked for.
    let actor = Some(text("actor")).filter(|actor| !actor.is_empty());
    let mut line = format!(
        "{} {} {} user {} of {} by {}",
        text("position"),
        text("date"),
        text("kind"),
        text("userId"),
        text("organizationId"),
        actor.as_deref().unwrap_or("ringback itself"),
    );
    for name in ["cause", "maskedPhone", "detail"] {
        let text = text(name);
        if !text.is_empty() {
            line.push(' ');
            line.push_str(&text);
        }
    }
    match event["count"].as_u64() {
        None | Some(0 | 1) => line,
        Some(count) => format!("{line}, {count} times"),
    }
}
