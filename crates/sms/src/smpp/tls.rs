//! The line to a provider: a TCP connection, with TLS around it where the configuration says so.

use std::path::Path;
use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::SmppSettings;
use crate::RouteError;

/// What a session runs over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// TLS to one provider.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// The provider's certificate must be for its host, and signed by an authority in `ca_file`, or without one
    /// by an authority that this machine trusts.
    pub(super) fn new(settings: &SmppSettings) -> Result<Option<Tls>, RouteError> {
        if !settings.tls {
            return Ok(None);
        }
        let failed =
            |cause: String| RouteError::setting("tls", format!("cannot be set up: {cause}"));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?;
        let file = &settings.ca_file;
        let config = match file.as_os_str().is_empty() {
            false => builder
                .with_root_certificates(roots(file)?)
                .with_no_client_auth(),
            true => builder
                .with_platform_verifier()
                .map_err(|error| failed(error.to_string()))?
                .with_no_client_auth(),
        };
        let name = ServerName::try_from(settings.host.clone());
        Ok(Some(Tls {
            connector: TlsConnector::from(Arc::new(config)),
            name: name.map_err(|error| failed(error.to_string()))?,
        }))
    }
}

fn roots(file: &Path) -> Result<RootCertStore, RouteError> {
    let failed = |cause: String| {
        RouteError::setting(
            "ca_file",
            format!("{} cannot be used: {cause}", file.display()),
        )
    };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("holds no certificate".into()));
    }
    Ok(roots)
}

/// A new line. The error says what was in the way.
pub(super) async fn dial(
    settings: &SmppSettings,
    tls: Option<&Tls>,
) -> Result<Box<dyn Stream>, String> {
    let tcp = TcpStream::connect((settings.host.as_str(), settings.port)).await;
    let tcp = tcp.map_err(|error| error.to_string())?;
    // A submit is small, and its answer is waited for.
    let _ = tcp.set_nodelay(true);
    let Some(tls) = tls else {
        return Ok(Box::new(tcp));
    };
    let stream = tls.connector.connect(tls.name.clone(), tcp).await;
    let stream = stream.map_err(|error| format!("TLS: {error}"))?;
    Ok(Box::new(stream))
}
