//! Certificates of the real program: named at start, read again on SIGHUP, made by `dev --tls`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::harness::{Program, Server, Setup, dev_json, fresh_data, until};
use crate::http::tls::{Issued, client, shown};

fn setup(issued: &Issued) -> Setup {
    let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    Setup::new("sqlite:ringback.db")
        .with("tls.certificate", path(&issued.certificate_file()))
        .with("tls.key", path(&issued.key_file()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_renews_the_certificate() {
    let mut issued = Issued::new();
    let authority = issued.authority();
    let mut program = Program::start(&["serve"], Some(&setup(&issued)));
    let address = until("an address", async || {
        let printed = program.printed();
        let (_, after) = printed.split_once("\"address\":\"")?;
        after.split_once('"').map(|(address, _)| address.to_owned())
    })
    .await;
    let url = format!("https://{address}/readyz");
    let now = || shown(client(&authority), &url);
    assert_eq!(now().await, issued.der);

    issued.renew();
    program.signal("HUP");
    program.says("the certificate was read again").await;
    assert_eq!(now().await, issued.der);

    fs::write(issued.certificate_file(), "torn").expect("writing");
    program.signal("HUP");
    program.says("the old one stays").await;
    assert!(program.printed().contains("tls.certificate: "));
    assert_eq!(now().await, issued.der);

    program.signal("TERM");
    assert_eq!(
        program.exit().await.code(),
        Some(0),
        "{}",
        program.printed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_ends_nothing_where_there_is_no_certificate() {
    let mut server = Server::start(&Setup::new("sqlite:ringback.db")).await;
    server.program.signal("HUP");
    server.program.says("there is no certificate to read").await;
    assert_eq!(server.get("/readyz", "").await.status, 200);
}

#[tokio::test]
async fn wrong_files_keep_it_from_starting() {
    let (issued, other) = (Issued::new(), Issued::new());
    fs::copy(other.key_file(), issued.key_file()).expect("copying");
    for subcommand in ["serve", "check"] {
        let ended = setup(&issued).run(subcommand).await;
        ended.refuses(&["tls.key: ", "is not the key of the first certificate"]);
        let ended = setup(&issued).without("tls.key").run(subcommand).await;
        ended.refuses(&["tls.key: is missing"]);
        let ended = setup(&issued)
            .without("tls.certificate")
            .run(subcommand)
            .await;
        ended.refuses(&["tls.certificate: is missing"]);
        let ended = setup(&issued)
            .with("tls.certificate", "nowhere.pem")
            .run(subcommand)
            .await;
        ended.refuses(&["tls.certificate: nowhere.pem cannot be read"]);
    }
    let ended = setup(&Issued::new()).run("check").await;
    assert!(ended.status.success(), "{}", ended.errors);
    assert!(ended.output.contains("certificate: ok"), "{}", ended.output);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_makes_a_certificate_once() {
    let (_directory, data) = fresh_data();
    let path = data.to_str().expect("a path");
    let arguments = [
        "dev",
        "--tls",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        path,
    ];
    let mut seen = Vec::new();
    for _ in 0..2 {
        let before = dev_json(&data);
        let mut program = Program::start(&arguments, None);
        let base = until("dev.json", async || {
            let now = dev_json(&data).filter(|now| Some(now) != before.as_ref())?;
            now["baseUrl"].as_str().map(str::to_owned)
        })
        .await;
        assert!(base.starts_with("https://127.0.0.1:"), "{base}");
        let authority = fs::read_to_string(data.join("tls-ca.pem")).expect("an authority");
        let port = base.rsplit_once(':').expect("a port").1;
        for name in [base.as_str(), &format!("https://localhost:{port}")] {
            seen.push(shown(client(&authority), &format!("{name}/readyz")).await);
        }
        for file in ["tls-ca.pem", "tls-cert.pem", "tls-key.pem"] {
            let metadata = fs::metadata(data.join(file)).expect("it exists");
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{file}");
        }
        program.says("NODE_EXTRA_CA_CERTS=").await;
        program.says("curl -s --cacert ").await;
        program.signal("TERM");
        assert_eq!(
            program.exit().await.code(),
            Some(0),
            "{}",
            program.printed()
        );
    }
    assert!(
        seen.windows(2).all(|pair| pair[0] == pair[1]),
        "the same at each start"
    );
}
