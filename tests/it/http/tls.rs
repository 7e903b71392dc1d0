//! TLS on the one port: which protocol, which certificate, and which files are refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use ringback::config::TlsSection;
use ringback::tls::Tls;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

/// An authority, and a directory with a certificate of its and the key.
pub struct Issued {
    authority: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
    /// The certificate as it travels.
    pub der: Vec<u8>,
}

impl Issued {
    pub fn new() -> Issued {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut issued = Issued {
            authority,
            directory,
            der: Vec::new(),
        };
        issued.renew();
        issued
    }

    /// Another certificate and key in the same files.
    pub fn renew(&mut self) {
        let key = KeyPair::generate().expect("a key");
        let (pem, der) = self.certificate(&key);
        fs::write(self.certificate_file(), pem).expect("writing the certificate");
        fs::write(self.key_file(), key.serialize_pem()).expect("writing the key");
        self.der = der;
    }

    /// A certificate of that key, followed by the authority's, in PEM; and alone as it travels.
    fn certificate(&self, key: &KeyPair) -> (String, Vec<u8>) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).expect("names");
        let certificate = params
            .signed_by(key, &self.authority)
            .expect("a certificate");
        (
            certificate.pem() + &self.authority.pem(),
            certificate.der().to_vec(),
        )
    }

    pub fn certificate_file(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    pub fn key_file(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    pub fn section(&self) -> TlsSection {
        TlsSection {
            certificate: self.certificate_file(),
            key: self.key_file(),
        }
    }

    /// What a client trusts.
    pub fn authority(&self) -> String {
        self.authority.pem()
    }
}

/// A client that trusts one authority and no other.
pub fn client(authority: &str) -> reqwest::ClientBuilder {
    let authority = reqwest::Certificate::from_pem(authority.as_bytes()).expect("a certificate");
    reqwest::Client::builder()
        .no_proxy()
        .tls_info(true)
        .tls_certs_only([authority])
}

/// The certificate that a server shows.
pub async fn shown(client: reqwest::ClientBuilder, url: &str) -> Vec<u8> {
    let client = client.build().expect("a client");
    let answer = client.get(url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let info = answer.extensions().get::<reqwest::tls::TlsInfo>();
    let certificate = info.and_then(reqwest::tls::TlsInfo::peer_certificate);
    certificate.expect("a certificate").to_vec()
}

async fn start(issued: &Issued) -> TestApp {
    let section = issued.section();
    TestApp::start_with(Database::sqlite().await, |config| config.tls = section).await
}

fn https(app: &TestApp, path: &str) -> String {
    format!("https://{}{path}", app.address)
}

#[tokio::test]
async fn the_protocol_is_chosen_by_alpn() {
    let issued = Issued::new();
    let app = start(&issued).await;
    let bearer = format!("Bearer {}", app.admin());
    let clients = [
        (client(&issued.authority()), http::Version::HTTP_2),
        (
            client(&issued.authority()).http1_only(),
            http::Version::HTTP_11,
        ),
        (
            client(&issued.authority()).tls_version_max(reqwest::tls::Version::TLS_1_2),
            http::Version::HTTP_2,
        ),
    ];
    for (client, version) in clients {
        let client = client.build().expect("a client");
        let url = https(&app, "/v2/phones/search");
        let request = client
            .post(url)
            .header("authorization", &bearer)
            .json(&json!({}));
        let answer = request.send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        assert_eq!(answer.text().await.expect("a body"), "{}\n");
    }
    assert_eq!(
        shown(client(&issued.authority()), &https(&app, "/healthz")).await,
        issued.der
    );
    let stranger = client(&Issued::new().authority())
        .build()
        .expect("a client");
    assert!(stranger.get(https(&app, "/healthz")).send().await.is_err());
}

#[tokio::test]
async fn grpc_and_grpc_web_speak_tls() {
    let issued = Issued::new();
    let mut app = start(&issued).await;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(issued.authority()))
        .domain_name("localhost");
    app.channel = Endpoint::from_shared(https(&app, ""))
        .and_then(|endpoint| endpoint.tls_config(tls))
        .expect("an endpoint")
        .connect_lazy();
    let body = json!({"userId": "ann", "phone": "+41791234567", "isVerified": true});
    Wire::Grpc
        .ok(
            &app,
            "AddUserPhone",
            &app.manager("acme"),
            json!({"userId": "boss", "phone": "+41791234567", "isVerified": true}),
        )
        .await;
    let refused = Wire::Grpc
        .refused(&app, "AddUserPhone", &app.manager("acme"), body)
        .await;
    assert_eq!(refused.id(), "ACCOUNT_NOT_FOUND");
    let kinds = ["application/grpc-web+proto", "application/json"];
    let client = client(&issued.authority()).build().expect("a client");
    for kind in kinds {
        let url = https(&app, "/ringback.phone.v1.PhoneService/ListUserPhones");
        let request = client.post(url).header("content-type", kind);
        let answer = request.body("").send().await.expect("an answer");
        assert_eq!(answer.version(), http::Version::HTTP_2);
        assert_eq!(answer.headers()["content-type"], kind);
    }
}

#[tokio::test]
async fn who_says_nothing_or_no_tls_is_not_served_and_holds_nobody_up() {
    let issued = Issued::new();
    let app = start(&issued).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(app.address).await.expect("a connection"));
    }
    let mut plain = TcpStream::connect(app.address).await.expect("a connection");
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .expect("writing");
    let mut answer = Vec::new();
    // How the connection ends is the system's to say: with its end or a reset.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(
        !answer.starts_with(b"HTTP"),
        "nothing is served in the clear"
    );
    assert_eq!(
        shown(client(&issued.authority()), &https(&app, "/healthz")).await,
        issued.der
    );
    drop(silent);
}

#[tokio::test]
async fn silence_after_tls_ends_within_15_s() {
    let issued = Issued::new();
    let app = start(&issued).await;
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from(issued.authority.der().to_vec());
    roots.add(authority).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(app.address).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut silent = connector.connect(name, stream).await.expect("TLS");
    let mut byte = [0; 1];
    let ended = silent.read(&mut byte);
    let ended = tokio::time::timeout(Duration::from_secs(15), ended).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
}

#[tokio::test]
async fn new_connections_get_what_was_read_last() {
    let mut issued = Issued::new();
    let first = issued.der.clone();
    let tls = Tls::open(&issued.section())
        .expect("files that fit")
        .expect("TLS");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    let answer = |_| async { axum::response::Response::new("ok".into()) };
    let bounds = ringback::config::Config::load(None, [])
        .expect("the defaults")
        .server;
    let serving = ringback::http::serve(
        listener,
        Some(tls.clone()),
        bounds,
        answer,
        std::future::pending(),
    );
    let task = tokio::spawn(serving);
    let kept = client(&issued.authority()).build().expect("a client");
    assert_eq!(
        kept.get(&url).send().await.expect("an answer").status(),
        200
    );
    let now = || shown(client(&issued.authority()), &url);

    assert_eq!(now().await, first);
    let authority = issued.authority();
    issued.renew();
    assert_ne!(issued.der, first);
    let now = || shown(client(&authority), &url);
    assert_eq!(now().await, first, "files are read when they are asked for");
    tls.reload().expect("files that fit");
    assert_eq!(now().await, issued.der);
    assert_eq!(
        kept.get(&url).send().await.expect("an answer").status(),
        200
    );

    fs::write(issued.key_file(), "no key").expect("writing");
    let error = tls.reload().expect_err("no key").to_string();
    assert!(error.starts_with("tls.key:"), "{error}");
    assert_eq!(now().await, issued.der, "the old certificate stays");
    task.abort();
}

/// What is wrong with the files.
fn problem(certificate: &Path, key: &Path) -> String {
    let section = TlsSection {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let Err(error) = Tls::open(&section) else {
        panic!("must be refused: {section:?}");
    };
    error.to_string()
}

#[test]
fn files_that_do_not_fit_are_named() {
    let (issued, other) = (Issued::new(), Issued::new());
    let (certificate, key) = (issued.certificate_file(), issued.key_file());
    assert!(Tls::open(&issued.section()).is_ok_and(|tls| tls.is_some()));
    let missing = issued.directory.path().join("missing.pem");
    let empty = issued.directory.path().join("empty.pem");
    fs::write(&empty, "").expect("writing");
    let torn = issued.directory.path().join("torn.pem");
    let whole = fs::read_to_string(&certificate).expect("reading");
    fs::write(&torn, &whole[..whole.len() / 3]).expect("writing");
    let locked = issued.directory.path().join("locked.pem");
    let text = fs::read_to_string(&key).expect("reading");
    fs::write(
        &locked,
        text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
    )
    .expect("writing");
    let authority = issued.directory.path().join("authority.pem");
    fs::write(&authority, issued.authority()).expect("writing");

    let wrong = [
        (&missing, &key, "tls.certificate", "cannot be read"),
        (&empty, &key, "tls.certificate", "holds no certificate"),
        (&torn, &key, "tls.certificate", "holds no certificate"),
        (&key, &key, "tls.certificate", "holds no certificate"),
        (&certificate, &missing, "tls.key", "cannot be read"),
        (&certificate, &empty, "tls.key", "holds no private key"),
        (
            &certificate,
            &certificate,
            "tls.key",
            "holds no private key",
        ),
        (&certificate, &locked, "tls.key", "without a passphrase"),
        (
            &certificate,
            &other.key_file(),
            "tls.key",
            "is not the key of the first certificate",
        ),
        (
            &authority,
            &key,
            "tls.key",
            "is not the key of the first certificate",
        ),
    ];
    for (certificate, key, place, says) in wrong {
        let told = problem(certificate, key);
        assert!(
            told.starts_with(&format!("{place}: ")) && told.contains(says),
            "{told}"
        );
        assert!(!told.contains("BEGIN"), "{told}");
    }
}

/// The parts of a DER value, one level down.
fn parts(der: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = content(der).0;
    while !rest.is_empty() {
        let (content, after) = content(rest);
        parts.push(content);
        rest = after;
    }
    parts
}

/// The content of the first DER value, and what follows it.
fn content(der: &[u8]) -> (&[u8], &[u8]) {
    let (start, length) = match der[1] {
        short @ ..0x80 => (2, usize::from(short)),
        long => {
            let start = 2 + usize::from(long & 0x7f);
            (
                start,
                der[2..start]
                    .iter()
                    .fold(0, |length, byte| length << 8 | usize::from(*byte)),
            )
        }
    };
    (&der[start..start + length], &der[start + length..])
}

#[test]
fn keys_may_have_any_of_three_forms() {
    use base64::Engine;
    let issued = Issued::new();
    let kinds = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, "EC PRIVATE KEY"),
        (&rcgen::PKCS_ECDSA_P384_SHA384, "EC PRIVATE KEY"),
        (&rcgen::PKCS_RSA_SHA256, "RSA PRIVATE KEY"),
    ];
    for (algorithm, label) in kinds {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        fs::write(issued.certificate_file(), issued.certificate(&key).0).expect("writing");
        // The older forms are what PKCS#8 wraps (RFC 5208, section 5): version, algorithm, key.
        let pkcs8 = key.serialize_der();
        let older = base64::engine::general_purpose::STANDARD.encode(parts(&pkcs8)[2]);
        let older = format!("-----BEGIN {label}-----\n{older}\n-----END {label}-----\n");
        for pem in [key.serialize_pem(), older] {
            fs::write(issued.key_file(), pem).expect("writing");
            let opened = Tls::open(&issued.section());
            assert!(opened.is_ok_and(|tls| tls.is_some()), "{label}");
        }
    }
}
