//! TLS for the one port: certificate and key from files, read at start and again when they were renewed.

use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys, ServerConfig};

use crate::config::{ConfigError, TlsSection};

const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";

/// What is spoken inside, best first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A certificate with its key, ready to take connections. Clones share what [`Tls::reload`] reads.
#[derive(Clone)]
pub struct Tls {
    section: TlsSection,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads the files of the configuration; `None` when it names none.
    pub fn open(section: &TlsSection) -> Result<Option<Tls>, ConfigError> {
        if !section.is_set() {
            return Ok(None);
        }
        // Named, because the process has two: the database's client brings another one.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certified = read(section, &provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::new(CERTIFICATE, error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Some(Tls {
            section: section.clone(),
            current,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }))
    }

    /// Reads the files again, for connections to come. When something is wrong with them, what was read
    /// before stays.
    pub fn reload(&self) -> Result<(), ConfigError> {
        let certified = read(&self.section, &aws_lc_rs::default_provider())?;
        let mut current = self
            .current
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(certified);
        Ok(())
    }

    /// What turns a connection into one that is encrypted.
    pub fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

/// Reads the files again at each SIGHUP, and does not end. A process without TLS has nothing to read, but
/// lives on: renewing a certificate may be one command for many services.
pub async fn renew(tls: Option<Tls>) {
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP is not heard: a renewed certificate needs a new start");
            return std::future::pending().await;
        }
    };
    while hangups.recv().await.is_some() {
        match tls.as_ref().map(Tls::reload) {
            None => tracing::info!("SIGHUP: there is no certificate to read"),
            Some(Ok(())) => tracing::info!("the certificate was read again"),
            Some(Err(error)) => {
                tracing::error!(%error, "the certificate cannot be read again; the old one stays");
            }
        }
    }
    std::future::pending().await
}

/// What new connections get. Lives in the TLS library's configuration, which never changes.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.0
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

fn read(section: &TlsSection, provider: &CryptoProvider) -> Result<CertifiedKey, ConfigError> {
    let chain = chain(&section.certificate)
        .map_err(|reason| wrong(CERTIFICATE, &section.certificate, &reason))?;
    let key = key(&section.key).map_err(|reason| wrong(KEY, &section.key, &reason))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => wrong(
            KEY,
            &section.key,
            "is not the key of the first certificate in tls.certificate; set both to files that were \
             issued together",
        ),
        Error::InvalidCertificate(_) => wrong(
            CERTIFICATE,
            &section.certificate,
            "does not begin with a certificate of the server (X.509, version 3)",
        ),
        // Whatever else there is, is about the key; the library's text holds nothing of it.
        other => wrong(KEY, &section.key, &format!("is no key that can be used: {other}")),
    })
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = text(path)?;
    let chain: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) | Err(_) => Err(
            "holds no certificate; it must be PEM, the server's certificate first and then those of its \
             issuers"
                .to_owned(),
        ),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&text(path)?).map_err(|_| {
        "holds no private key; it must be PEM (PKCS#8, PKCS#1 or SEC1) without a passphrase"
            .to_owned()
    })
}

fn text(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

fn wrong(key: &str, path: &Path, reason: &str) -> ConfigError {
    ConfigError::new(key, format!("{} {reason}", path.display()))
}
