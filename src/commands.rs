//! What each subcommand does.

mod unlock;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::sync::watch;

use ringback_store::Inspection;

use crate::app::{self, App, Tables, source, stop_signal};
use crate::auth::Auth;
use crate::config::{Config, TlsSection, environment};
use crate::dev::{DevHome, TokenRequest};
use crate::telemetry;
use crate::tls::Tls;
pub use unlock::{UnlockArguments, unlock};

/// `ringback dev`
pub async fn dev(
    listen: SocketAddr,
    data_dir: PathBuf,
    database_url: Option<String>,
    tls: bool,
) -> anyhow::Result<()> {
    if !listen.ip().is_loopback() {
        bail!(
            "--listen {listen}: dev listens on this machine only, because its inbox shows every code; \
             use an address such as 127.0.0.1:{}, or `ringback serve`",
            listen.port()
        );
    }
    let home = DevHome::open(&data_dir)?;
    let mut config = home.config(listen, database_url.as_deref())?;
    telemetry::init(&config.log)?;
    let source = source();
    let started_at = (source.now)();
    let certificate = tls.then(|| home.certificate(started_at)).transpose()?;
    if let Some(files) = &certificate {
        config.tls = TlsSection {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
        };
    }
    let _figures = telemetry::metrics(config.metrics.listen).await?;
    let stop = stop_signal()?;
    let app = App::build(&config, source).await?;
    let listener = bind(listen).await?;
    let scheme = if app.tls.is_some() { "https" } else { "http" };
    let base_url = format!("{scheme}://{}", listener.local_addr()?);
    home.write_dev_json(&base_url, started_at)?;
    let authority = certificate.as_ref().map(|files| files.authority.as_path());
    println!("{}", home.welcome(&base_url, authority));
    app.run(listener, true, stop).await;
    Ok(())
}

/// `ringback serve`
pub async fn serve(file: Option<PathBuf>, worker: bool, migrate: bool) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check()?;
    telemetry::init(&config.log)?;
    let _figures = telemetry::metrics(config.metrics.listen).await?;
    // From here on a signal stops the program in order: readiness may be seen before the last line here.
    let stop = stop_signal()?;
    say_which_database(&config);
    let tables = match migrate {
        true => Tables::Migrate,
        false => Tables::AsTheyAre,
    };
    let app = App::build_on(&config, source(), tables).await?;
    let listener = bind(config.server.listen).await?;
    let tls = app.tls.is_some();
    tracing::info!(address = %listener.local_addr()?, tls, worker, "serving");
    app.run(listener, worker, stop).await;
    Ok(())
}

/// `ringback worker`
pub async fn worker(file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check_delivery()?;
    telemetry::init(&config.log)?;
    let _figures = telemetry::metrics(config.metrics.listen).await?;
    let stop_signal = stop_signal()?;
    say_which_database(&config);
    let store = app::open(&config, source()).await?;
    store.migrate().await?;
    let (routes, _) = app::routes(&config)?;
    let delivery = app::delivery(&config, &store, routes);
    let (stop, stopped) = watch::channel(false);
    tracing::info!("delivering");
    let waiting = async {
        stop_signal.await;
        let _ = stop.send(true);
    };
    tokio::join!(delivery.run(stopped), waiting);
    Ok(())
}

/// `ringback migrate`
pub async fn migrate(file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check_database()?;
    app::migrate(&config).await?;
    let database = ringback_store::describe(&app::settings(&config));
    println!("the tables of {database} are up to date");
    Ok(())
}

/// `ringback backup`
pub async fn backup(
    to: PathBuf,
    file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
) -> anyhow::Result<()> {
    let config = match data_dir {
        Some(data_dir) => {
            let home = DevHome::existing(&data_dir)?;
            home.config(SocketAddr::from(([127, 0, 0, 1], 0)), None)?
        }
        None => load(file)?,
    };
    let settings = app::settings(&config);
    ringback_store::backup(&settings, &to).await?;
    let database = ringback_store::describe(&settings);
    println!("{database} was copied to {}", to.display());
    Ok(())
}

/// One line in the log, because a database that was not asked for is found by nobody.
fn say_which_database(config: &Config) {
    let database = ringback_store::describe(&app::settings(config));
    tracing::info!(database, "using the database that database.url names");
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
    let mut auth = Auth::new(&config.auth, &config.accounts.default_organization, clock)?;
    // Tokens of ours need keys that whoever only looks at one may not have.
    if let Ok(keys) = config.keys() {
        auth = auth.with_vendors(&config.vendor, &keys);
    }
    match auth.explain(&token).await {
        Ok(lines) => println!("the token is accepted\n{}", lines.join("\n")),
        Err(reason) => bail!("the token is refused: {reason}"),
    }
    Ok(())
}

/// `ringback check`: says everything that is wrong, not only the first thing.
pub async fn check(file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    let mut wrong = Vec::new();
    match config.check() {
        Ok(()) => println!("configuration: ok"),
        Err(error) => bail!("{error}"),
    }
    for (one, other) in config.auth.overlaps() {
        println!(
            "issuers {one} and {other}: each says by a claim where its users belong, so users of the same id \
             are one user where both name the same organisation; set organization where all users of an issuer \
             belong to one"
        );
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
    let auth = Auth::new(&config.auth, &config.accounts.default_organization, clock)?;
    for (name, reached) in auth.check().await {
        match reached {
            Ok(()) => println!("issuer {name}: ok"),
            Err(reason) => wrong.push(format!("issuer {name}: {reason}")),
        }
    }
    let (routes, _) = app::routes(&config)?;
    for route in &routes {
        match route.check().await {
            Ok(()) => println!("route {}: ok", route.name()),
            Err(error) => wrong.push(format!("route {}: {error}", route.name())),
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
        _ => format!(", {accounts} accounts"),
    };
    let pooled = match pooled {
        true => ", behind a pooler in transaction mode",
        false => "",
    };
    format!("{place}: {tables}{accounts}{pooled}")
}

/// `ringback token`
#[derive(clap::Args)]
pub struct TokenArguments {
    /// The data directory that `ringback dev` made
    #[arg(long, value_name = "DIR", default_value = "./ringback-data")]
    data_dir: PathBuf,
    /// The user id
    #[arg(long, value_name = "ID")]
    sub: String,
    /// The user's organisation
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// A role, such as ORG_OWNER; may be given more than once
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A permission, such as user.read; may be given more than once
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// A scope; may be given more than once
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long the token lives
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    ttl: u64,
}

/// Prints a signed token and nothing else.
pub fn token(arguments: TokenArguments) -> anyhow::Result<()> {
    let home = DevHome::existing(&arguments.data_dir)?;
    let request = TokenRequest {
        sub: arguments.sub,
        org: arguments.org,
        roles: arguments.roles,
        permissions: arguments.permissions,
        scopes: arguments.scopes,
        ttl: Duration::from_secs(arguments.ttl),
    };
    println!("{}", home.token(&request, (source().now)())?);
    Ok(())
}

fn load(file: Option<PathBuf>) -> anyhow::Result<Config> {
    Ok(Config::load(file.as_deref(), environment())?)
}

async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))
}
