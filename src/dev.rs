//! The data directory of `ringback dev`: its keys, its `dev.json`, and what it says to who starts it.

mod certificate;
mod ignored;
mod welcome;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rand::TryRng;
use rand::rngs::SysRng;
use ringback_core::Time;
use ringback_core::audit::hex;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::{
    Api, Config, ConfigError, IssuerSection, Permission, VendorClient, environment,
};
pub use certificate::DevCertificate;
pub use ignored::instead_of;

/// Who signs the tokens of a data directory, and for whom.
const ISSUER: &str = "ringback-dev";
const AUDIENCE: &str = "ringback";
/// Where they say the user's organisation.
const ORGANIZATION_CLAIM: &str = "urn:zitadel:iam:user:resourceowner:id";

const KEYS_FILE: &str = "keys.json";
const DEV_FILE: &str = "dev.json";
const DATABASE_FILE: &str = "ringback.db";
const AUTHORITY_FILE: &str = "tls-ca.pem";
const CERTIFICATE_FILE: &str = "tls-cert.pem";
const TLS_KEY_FILE: &str = "tls-key.pem";

/// How long the token in `dev.json` lives.
const ADMIN_LIFE: Duration = Duration::from_secs(86_400);

/// The longest life of a token: more than any trial needs, and far from where time overflows.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What differs from the default file.
const SETTINGS: &str = r#"
    apis = ["zitadel", "ringback", "frontegg", "reachfive"]
    log.format = "text"
    metrics.listen = ""
    server.drain_seconds = 0
    [cors]
    allowed_origins = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*",
        "https://localhost:*", "https://127.0.0.1:*", "https://[::1]:*"]
    [limits]
    sends_per_address = []
    verifications_per_address = []
    [sms.routes.inbox]
    type = "inbox"
    [verify]
    enabled = true
    return_urls = ["http://localhost:*", "http://127.0.0.1:*", "https://localhost:*", "https://127.0.0.1:*"]
"#;

/// A data directory, with its keys.
pub struct DevHome {
    dir: PathBuf,
    keys: DevKeys,
}

/// The keys of a data directory, made once.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DevKeys {
    code_key: String,
    pseudonym_key: String,
    token_secret: String,
    vendor: Vendor,
}

/// What a back end shows to get an environment token at the Frontegg API.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vendor {
    client_id: String,
    secret: String,
}

/// What a token shall say.
#[derive(Clone, Debug, Default)]
pub struct TokenRequest {
    /// The user.
    pub sub: String,
    /// The user's organisation.
    pub org: Option<String>,
    /// Roles, such as `ORG_OWNER`.
    pub roles: Vec<String>,
    /// Permissions, such as `user.read`.
    pub permissions: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// How long it lives.
    pub ttl: Duration,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// A file or the directory itself cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: io::Error,
    },
    /// There are no keys.
    #[error("{0} is no data directory: start `ringback dev --data-dir {0}` first, which makes it")]
    Missing(String),
    /// The keys are not as they were written.
    #[error("{0} is damaged: put it back from a copy, or delete the data directory to begin anew")]
    Damaged(String),
    /// The operating system gives no random bytes.
    #[error("no random bytes for new keys: {0}")]
    Random(String),
    /// No certificate can be made.
    #[error("no certificate for this machine: {0}")]
    Certificate(String),
    /// A token cannot say what it was asked to.
    #[error("{0}")]
    Token(&'static str),
}

impl DevHome {
    /// Opens a data directory; makes it, and its keys, when they are missing. Keys that exist stay.
    pub fn open(dir: &Path) -> Result<DevHome, DevError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir).map_err(|error| at(dir, error))?;

        let path = dir.join(KEYS_FILE);
        let keys = serde_json::to_string_pretty(&DevKeys::new()?)
            .map_err(|error| at(&path, error.into()))?;
        match write_new(&path, &keys) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(&path, error)),
        }
        DevHome::existing(dir)
    }

    /// Opens a data directory that [`DevHome::open`] made.
    pub fn existing(dir: &Path) -> Result<DevHome, DevError> {
        let path = dir.join(KEYS_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DevError::Missing(dir.display().to_string()));
            }
            Err(error) => return Err(at(&path, error)),
        };
        let damaged = || DevError::Damaged(path.display().to_string());
        let keys: DevKeys = serde_json::from_str(&text).map_err(|_| damaged())?;
        let whole = [&keys.code_key, &keys.pseudonym_key, &keys.token_secret]
            .iter()
            .all(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 32));
        if !whole || keys.vendor.client_id.is_empty() || keys.vendor.secret.is_empty() {
            return Err(damaged());
        }
        Ok(DevHome {
            dir: dir.to_owned(),
            keys,
        })
    }

    /// The configuration of `ringback dev`: the default file, what makes a trial easy, then the
    /// environment as far as neither directory nor arguments decide ([`instead_of`]). The database is a file
    /// of the directory unless `database_url` names another.
    pub fn config(
        &self,
        listen: SocketAddr,
        database_url: Option<&str>,
    ) -> Result<Config, ConfigError> {
        self.config_with(listen, database_url, environment())
    }

    /// [`DevHome::config`] with the given variables in place of the process's.
    pub fn config_with(
        &self,
        listen: SocketAddr,
        database_url: Option<&str>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        if !listen.ip().is_loopback() {
            return Err(ConfigError::new(
                "server.listen",
                format!(
                    "{listen} can be reached from outside, and the inbox shows every code; use 127.0.0.1"
                ),
            ));
        }
        let read = environment.into_iter();
        let read = read.filter(|(name, _)| instead_of(name, false).is_none());
        let mut config = Config::with("the settings of dev", SETTINGS, read)?;
        let url = match database_url {
            Some(url) => url.to_owned(),
            None => format!("sqlite:{}", self.dir.join(DATABASE_FILE).display()),
        };
        config.server.listen = listen;
        config.verify.enabled &= config.apis.contains(&Api::Ringback);
        config.database.url = SecretString::from(url);
        // The keys of the directory are what its database was written with.
        config.secrets.code_keys = [("1".to_owned(), self.keys.code_key.clone().into())].into();
        config.secrets.current_code_key = 1;
        config.secrets.pseudonym_key = self.keys.pseudonym_key.clone().into();
        config.sms.order.entry("default".into()).or_insert_with(|| {
            let others = config.sms.routes.keys().filter(|name| *name != "inbox");
            std::iter::once("inbox".into())
                .chain(others.cloned())
                .collect()
        });
        let issuer = IssuerSection {
            issuer: ISSUER.to_owned(),
            audiences: vec![AUDIENCE.to_owned()],
            algorithms: vec![Algorithm::HS256],
            secret: self.keys.token_secret.clone().into(),
            // Whoever adds another issuer still has these tokens.
            organization_claim: match config.auth.issuers.is_empty() {
                true => String::new(),
                false => ORGANIZATION_CLAIM.to_owned(),
            },
            may_grant: Some(Permission::ALL.to_vec()),
            everywhere: Some(true),
            scopes_grant: true,
            ..IssuerSection::default()
        };
        config.auth.issuers.insert("dev".to_owned(), issuer);
        let vendor = VendorClient {
            client_id: self.keys.vendor.client_id.clone(),
            secret: self.keys.vendor.secret.clone().into(),
        };
        config.vendor.clients.insert("dev".to_owned(), vendor);
        Ok(config)
    }

    /// The directory's certificate for this machine; makes it when it is missing.
    pub fn certificate(&self, now: Time) -> Result<DevCertificate, DevError> {
        let files = DevCertificate {
            authority: self.dir.join(AUTHORITY_FILE),
            certificate: self.dir.join(CERTIFICATE_FILE),
            key: self.dir.join(TLS_KEY_FILE),
        };
        let all = [&files.key, &files.certificate, &files.authority];
        if all.iter().all(|path| path.exists()) {
            return Ok(files);
        }
        let made =
            certificate::make(now).map_err(|error| DevError::Certificate(error.to_string()))?;
        for (path, pem) in all
            .into_iter()
            .zip([made.key, made.certificate, made.authority])
        {
            remove(path)?;
            write_new(path, pem.trim_end()).map_err(|error| at(path, error))?;
        }
        Ok(files)
    }

    /// A signed token that `ringback dev` accepts.
    pub fn token(&self, request: &TokenRequest, now: Time) -> Result<String, DevError> {
        if !(1..=200).contains(&request.sub.chars().count()) {
            return Err(DevError::Token("--sub must have 1 to 200 characters"));
        }
        if request.ttl > LONGEST_LIFE {
            return Err(DevError::Token("--ttl must be at most ten years"));
        }
        let mut claims = json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": request.sub,
            "iat": seconds(now),
            "exp": seconds(now + request.ttl),
        });
        if let Some(org) = &request.org {
            claims[ORGANIZATION_CLAIM] = json!(org);
        }
        let lists = [
            ("roles", &request.roles),
            ("permissions", &request.permissions),
        ];
        for (claim, names) in lists {
            if !names.is_empty() {
                claims[claim] = json!(names);
            }
        }
        if !request.scopes.is_empty() {
            claims["scope"] = json!(request.scopes.join(" "));
        }
        let key = EncodingKey::from_secret(self.keys.token_secret.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|_| DevError::Token("the token cannot be signed"))
    }

    /// A token that may do everything for a day.
    pub fn admin_token(&self, now: Time) -> Result<String, DevError> {
        let admin = TokenRequest {
            sub: "admin".to_owned(),
            roles: vec!["IAM_OWNER".to_owned()],
            ttl: ADMIN_LIFE,
            ..TokenRequest::default()
        };
        self.token(&admin, now)
    }

    /// Writes `dev.json`: where the service is, a token that may do everything for a day, and what a back
    /// end shows at the Frontegg API. Readers see the old file or the new one, never a part.
    pub fn write_dev_json(&self, base_url: &str, now: Time) -> Result<(), DevError> {
        let content = json!({
            "baseUrl": base_url,
            "adminToken": self.admin_token(now)?,
            "vendor": self.keys.vendor,
        });
        let path = self.dir.join(DEV_FILE);
        let draft = self.dir.join("dev.json.new");
        remove(&draft)?;
        write_new(&draft, &content.to_string()).map_err(|error| at(&draft, error))?;
        fs::rename(&draft, &path).map_err(|error| at(&path, error))
    }
}

impl fmt::Debug for DevHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevHome")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl DevKeys {
    fn new() -> Result<DevKeys, DevError> {
        let key = || random::<32>().map(|bytes| STANDARD.encode(bytes));
        let id = random::<16>()?;
        Ok(DevKeys {
            code_key: key()?,
            pseudonym_key: key()?,
            token_secret: key()?,
            vendor: Vendor {
                client_id: hex(&id),
                secret: key()?,
            },
        })
    }
}

fn random<const N: usize>() -> Result<[u8; N], DevError> {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| DevError::Random(error.to_string()))?;
    Ok(bytes)
}

fn remove(path: &Path) -> Result<(), DevError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a file that only its owner can read, and that must not exist yet.
fn write_new(path: &Path, content: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn at(path: &Path, reason: io::Error) -> DevError {
    DevError::File {
        path: path.display().to_string(),
        reason,
    }
}

fn seconds(time: Time) -> i64 {
    time.0.div_euclid(1_000_000)
}

#[cfg(test)]
mod tests;
