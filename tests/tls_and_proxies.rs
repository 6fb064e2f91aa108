//! Whom gvm trusts over TLS, and how it goes through a proxy.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::archives::file_name;
use common::published::GoDev;
use common::{GVM, Machine, run};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const VERSION: &str = "1.22.4";

/// An authority of the tests' own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A PEM file with its certificate.
    fn bundle(&self, machine: &Machine) -> PathBuf {
        let file = machine.path().join("authority.pem");
        fs::write(&file, self.0.pem()).unwrap();
        file
    }

    /// What a server of this name shows, which is valid until this year begins.
    fn certify(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new([name.to_string()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate: CertificateDer = params.signed_by(&key, &self.0).unwrap().into();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        Arc::new(config.unwrap())
    }
}

/// Reads the head of a request.
fn head(stream: &mut impl Read) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// The layout of go.dev over TLS, until the test ends; its port.
fn serve_tls(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let published = Arc::new(GoDev::of(&[VERSION]));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, published) = (config.clone(), published.clone());
            thread::spawn(move || answer_tls(stream.unwrap(), config, &published));
        }
    });
    port
}

fn answer_tls(stream: TcpStream, config: Arc<ServerConfig>, published: &GoDev) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let head = head(&mut stream)?;
    let path = head.split(' ').nth(1)?;
    let body = match path.ends_with(&file_name(VERSION)) {
        true => published.archive(VERSION).to_vec(),
        false => published.index().into_bytes(),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
        .ok()?;
    stream.write_all(&body).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

/// `gvm install` from a server on this machine.
fn install_from(machine: &Machine, host: &str, port: u16) -> Command {
    let mut command = machine.command(GVM);
    command.args(["install", "--force", VERSION]);
    command.env("GVM_DL_URL", format!("https://{host}:{port}/dl"));
    command
}

#[test]
fn an_authority_of_the_users_own_is_trusted_besides_the_systems() {
    let machine = Machine::new();
    let authority = Authority::new("Tests");
    let port = serve_tls(authority.certify("localhost", 4000));
    let mut command = install_from(&machine, "localhost", port);
    run(&mut command).failed(6).saying(&[
        "certificate is not trusted",
        "no authority that this machine knows has signed it",
        "GVM_CA_BUNDLE",
    ]);
    machine.has_nothing_installed();
    run(command.env("GVM_CA_BUNDLE", authority.bundle(&machine))).succeeded();
    machine.has_whole(VERSION);
    // Nothing is no bundle, as with the other variables.
    run(command.env("GVM_CA_BUNDLE", "")).failed(6);
}

#[test]
fn ssl_cert_file_stands_in_place_of_the_systems_authorities() {
    let machine = Machine::new();
    let (authority, other) = (Authority::new("Tests"), Authority::new("Others"));
    let port = serve_tls(authority.certify("localhost", 4000));
    let mut command = install_from(&machine, "localhost", port);
    run(command.env("SSL_CERT_FILE", authority.bundle(&machine))).succeeded();
    machine.has_whole(VERSION);
    // A file with a broken certificate and a good one is as good as the good one.
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let file = machine.path().join("some.pem");
    fs::write(&file, format!("# ours\n{broken}{}", authority.0.pem())).unwrap();
    run(command.env("SSL_CERT_FILE", &file)).succeeded();
    fs::write(&file, other.0.pem()).unwrap();
    run(&mut command).failed(6).saying(&["certificate is not trusted"]);
    // The two variables together.
    run(command.env("GVM_CA_BUNDLE", authority.bundle(&machine))).succeeded();
    // With a directory beside it, both count.
    let directory = machine.repository("authorities", &[("a.pem", &authority.0.pem())]);
    command.env_remove("GVM_CA_BUNDLE").env("SSL_CERT_DIR", directory);
    if cfg!(target_os = "linux") {
        run(&mut command).succeeded();
    }
}

#[test]
fn a_bad_certificate_is_called_that() {
    let machine = Machine::new();
    let authority = Authority::new("Tests");
    let bundle = authority.bundle(&machine);
    let expired = serve_tls(authority.certify("localhost", 2021));
    let mut command = install_from(&machine, "localhost", expired);
    run(command.env("GVM_CA_BUNDLE", &bundle))
        .failed(6)
        .saying(&["its certificate is not trusted: it has expired"]);

    let misnamed = serve_tls(authority.certify("go.example", 4000));
    let mut command = install_from(&machine, "localhost", misnamed);
    run(command.env("GVM_CA_BUNDLE", &bundle))
        .failed(6)
        .saying(&["its certificate is not trusted: it is for another name", "go.example"]);
    machine.has_nothing_installed();
}

#[test]
fn a_bundle_that_is_none_is_one_clear_error() {
    let machine = Machine::new();
    let empty = machine.path().join("empty.pem");
    fs::write(&empty, "nothing here\n").unwrap();
    let pipe = machine.path().join("pipe.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let missing = machine.path().join("missing.pem");
    for (file, why) in [
        (missing, "there is no file"),
        (pipe, "is not a file"),
        (machine.path(), "is not a file"),
        (empty, "holds no certificate"),
    ] {
        for name in ["GVM_CA_BUNDLE", "SSL_CERT_FILE"] {
            for arguments in [&["install", VERSION][..], &["list-remote"]] {
                let mut command = machine.command(GVM);
                command.args(arguments).env(name, &file);
                command.env("GOPROXY", "http://127.0.0.1:9|http://127.0.0.1:10");
                let ended = run(&mut command).failed(2).saying(&[
                    &format!("error: {name} is of no use: "),
                    why,
                    file.to_str().unwrap(),
                ]);
                assert_eq!(ended.stderr.matches(name).count(), 2, "once, and a hint: {ended:?}");
            }
        }
    }
    // Who asks nobody needs no bundle.
    let directory = machine.path().join("mirror");
    GoDev::of(&[VERSION]).write_to(&directory);
    let mut command = machine.command(GVM);
    command.args(["install", VERSION]).env("GVM_CA_BUNDLE", "/nonexistent");
    command.env("GVM_DL_URL", format!("file://{}", directory.display()));
    run(&mut command).succeeded();
}
