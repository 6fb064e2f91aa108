//! Whom gvm trusts over TLS, and how it goes through a proxy.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::archives::file_name;
use common::published::GoDev;
use common::server::{Answer, Server};
use common::{Ended, GVM, Machine, run};
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
use std::sync::{Arc, Mutex};
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
#[cfg(target_os = "linux")]
fn a_machine_without_authorities_is_told_so() {
    let machine = Machine::new();
    let authority = Authority::new("Tests");
    let port = serve_tls(authority.certify("localhost", 4000));
    let mut command = install_from(&machine, "localhost", port);
    let none = machine.repository("none", &[]);
    run(command.env("SSL_CERT_DIR", none)).failed(1).saying(&[
        "error: this machine knows no certificate authority",
        "ca-certificates",
        "GVM_CA_BUNDLE",
    ]);
    run(command.env("GVM_CA_BUNDLE", authority.bundle(&machine))).succeeded();
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

/// `user:secret` for `Proxy-Authorization`.
const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";

/// A proxy for plain text that resolves every name to a place with the layout of
/// go.dev.
fn forward_proxy() -> Server {
    let published = GoDev::of(&[VERSION]);
    Server::start(move |request| match request.path.strip_prefix("http://go.test/dl/") {
        Some(file) if file == file_name(VERSION) => Answer::ok(published.archive(VERSION)),
        Some(_) => Answer::new(200, "application/json", published.index()),
        None => Answer::not_found(),
    })
}

/// `gvm install` from a name that nobody knows but a proxy.
fn install_by(machine: &Machine, scheme: &str, proxies: &[(&str, &str)]) -> Command {
    let mut command = machine.command(GVM);
    command.args(["install", "--force", VERSION]).envs(proxies.iter().copied());
    command.env("GVM_DL_URL", format!("{scheme}://go.test/dl"));
    command
}

/// Nothing that it printed has a password in it.
#[track_caller]
fn keeps_the_secret(ended: Ended) -> Ended {
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains("secret") && !text.contains("dXNlcjpz"), "{ended:?}");
    }
    ended
}

/// Runs both ways of a connection until one end closes.
fn relay(one: TcpStream, port: u16) {
    let other = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut from, mut to) = (one.try_clone().unwrap(), other.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let (mut from, mut to) = (other, one);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// Accepts until the test ends; what each connection asked for, and the port.
fn serve_tunnels(
    open: impl Fn(&mut TcpStream) -> Option<(String, Option<u16>)> + Send + Sync + 'static,
) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, open) = (asked.clone(), Arc::new(open));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (seen, open) = (seen.clone(), open.clone());
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                let (what, to) = open(&mut stream)?;
                seen.lock().unwrap().push(what);
                relay(stream, to?);
                Some(())
            });
        }
    });
    (port, asked)
}

/// A proxy that answers CONNECT with `status`, and then connects to a port.
fn connect_proxy(status: u16, to: u16) -> (u16, Arc<Mutex<Vec<String>>>) {
    serve_tunnels(move |stream| {
        let head = head(stream)?;
        write!(stream, "HTTP/1.1 {status} X\r\n\r\n").ok()?;
        Some((head, (status == 200).then_some(to)))
    })
}

/// A SOCKS 5 proxy (RFC 1928, 1929) that wants user and password and a name.
fn socks_proxy(to: u16) -> (u16, Arc<Mutex<Vec<String>>>) {
    fn counted(stream: &mut TcpStream) -> Option<Vec<u8>> {
        let mut length = [0];
        stream.read_exact(&mut length).ok()?;
        let mut bytes = vec![0; length[0].into()];
        stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
    serve_tunnels(move |stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        counted(stream)?;
        stream.write_all(&[5, 2]).ok()?;
        stream.read_exact(&mut byte).ok()?;
        let (user, password) = (counted(stream)?, counted(stream)?);
        stream.write_all(&[1, 0]).ok()?;
        let mut request = [0; 4];
        stream.read_exact(&mut request).ok()?;
        assert_eq!(request, [5, 1, 0, 3], "a name is to be connected to");
        let host = counted(stream)?;
        stream.read_exact(&mut [0; 2]).ok()?;
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
        let words = [user, password, host].map(|word| String::from_utf8(word).unwrap());
        Some((words.join(" "), Some(to)))
    })
}

#[test]
fn plain_requests_go_through_http_proxy_with_its_password() {
    let machine = Machine::new();
    let proxy = forward_proxy();
    let with_password = proxy.url().replace("http://", "http://user:secret@");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let before = proxy.requests().len();
        let ended = run(&mut install_by(&machine, "http", &[(name, &with_password)])).succeeded();
        keeps_the_secret(ended);
        machine.has_whole(VERSION);
        let requests = &proxy.requests()[before..];
        assert!(!requests.is_empty());
        for request in requests {
            assert!(request.path.starts_with("http://go.test/dl/"), "{request:?}");
            assert_eq!(request.headers["proxy-authorization"], BASIC, "{request:?}");
        }
    }
    let kept = fs::read_to_string(machine.toolchain(VERSION).join("receipt.json")).unwrap();
    assert!(!kept.contains("secret"), "{kept}");
}

#[test]
fn no_proxy_and_this_machine_are_asked_directly() {
    let machine = Machine::new();
    let proxy = forward_proxy();
    for (name, list) in [("NO_PROXY", "other.test,.go.test"), ("no_proxy", "*")] {
        let mut command =
            install_by(&machine, "http", &[("HTTP_PROXY", &proxy.url()), (name, list)]);
        run(&mut command).failed(6).saying(&["go.test: its name cannot be resolved"]);
    }
    let local = GoDev::of(&[VERSION]).serve();
    let mut command = install_by(&machine, "http", &[("HTTP_PROXY", &proxy.url())]);
    run(command.env("GVM_DL_URL", local.url() + "/dl")).succeeded();
    assert!(proxy.requests().is_empty());
    assert!(!local.requests().is_empty());
}

#[test]
fn tls_goes_through_a_tunnel() {
    let machine = Machine::new();
    let authority = Authority::new("Tests");
    let bundle = authority.bundle(&machine);
    let server = serve_tls(authority.certify("go.test", 4000));
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let (port, asked) = connect_proxy(200, server);
        let url = format!("http://user:secret@127.0.0.1:{port}");
        let mut command = install_by(&machine, "https", &[(name, &url)]);
        keeps_the_secret(run(command.env("GVM_CA_BUNDLE", &bundle)).succeeded());
        machine.has_whole(VERSION);
        let asked = asked.lock().unwrap().clone();
        assert!(!asked.is_empty());
        for head in asked {
            assert!(head.starts_with("CONNECT go.test:443 HTTP/1.1\r\n"), "{head}");
            assert!(
                head.to_lowercase()
                    .contains(&format!("proxy-authorization: {BASIC}").to_lowercase()),
                "{head}"
            );
        }
        // A certificate's trouble behind the tunnel is the server's.
        command.env_remove("GVM_CA_BUNDLE");
        let ended =
            run(&mut command).failed(6).saying(&["go.test: its certificate is not trusted"]);
        assert!(!ended.stderr.contains("the proxy"), "{ended:?}");
    }
    // HTTP_PROXY is not for TLS.
    let (port, asked) = connect_proxy(200, server);
    let url = format!("http://127.0.0.1:{port}");
    run(&mut install_by(&machine, "https", &[("HTTP_PROXY", &url)])).failed(6);
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn all_proxy_may_speak_socks() {
    let machine = Machine::new();
    let authority = Authority::new("Tests");
    let (port, asked) = socks_proxy(serve_tls(authority.certify("go.test", 4000)));
    let url = format!("socks5h://user:secret@127.0.0.1:{port}");
    let mut command = install_by(&machine, "https", &[("ALL_PROXY", &url)]);
    command.env("GVM_CA_BUNDLE", authority.bundle(&machine));
    keeps_the_secret(run(&mut command).succeeded());
    machine.has_whole(VERSION);
    assert_eq!(asked.lock().unwrap()[0], "user secret go.test");
}

#[test]
fn trouble_with_a_proxy_is_one_sentence_that_names_the_variable() {
    let machine = Machine::new();
    let refused = keeps_the_secret(
        run(&mut install_by(&machine, "http", &[("HTTP_PROXY", "http://user:secret/x@a:1")]))
            .failed(2)
            .saying(&["error: HTTP_PROXY names no proxy: ", "http://USER:PASSWORD@HOST:PORT"]),
    );
    assert_eq!(refused.stderr.lines().count(), 2, "{refused:?}");

    let wants = Server::start(|_| Answer::new(407, "text/html", "<p>who are you?</p>"));
    let wants = wants.url().replace("http://", "http://user:secret@");
    let (tunnel_wants, _) = connect_proxy(407, 0);
    let (refuses, _) = connect_proxy(403, 0);
    let (hangs_up, _) = serve_tunnels(|_| None);
    let local = |port: u16| format!("http://user:secret@127.0.0.1:{port}");
    for (scheme, name, url, why) in [
        ("http", "HTTP_PROXY", local(9), "cannot be reached"),
        ("https", "https_proxy", local(9), "cannot be reached"),
        ("https", "ALL_PROXY", local(9).replace("http:", "socks5h:"), "cannot be reached"),
        ("https", "ALL_PROXY", local(hangs_up).replace("http:", "socks5h:"), "makes no connection"),
        ("http", "http_proxy", "http://user:secret@proxy.test:81".into(), "cannot be resolved"),
        ("http", "ALL_PROXY", wants, "wants a user and password"),
        ("https", "HTTPS_PROXY", local(tunnel_wants), "wants a user and password"),
        ("https", "HTTPS_PROXY", local(refuses), "refuses to connect to it"),
    ] {
        let ended = run(&mut install_by(&machine, scheme, &[(name, &url)])).failed(6);
        let ended = keeps_the_secret(ended);
        let place = url.rsplit('@').next().unwrap();
        let proxy = format!("the proxy {place} ({name})");
        let of_it = ended.stderr.lines().find(|line| line.contains("passed over go.test: "));
        let line = of_it.unwrap_or_else(|| panic!("{ended:?}"));
        assert!(line.contains(&proxy) && line.contains(why), "{proxy}: {why} in {line}");
    }
    // The server's name, not the proxy's, where that is not the proxy's to look up.
    let (socks, _) = socks_proxy(0);
    let url = format!("socks5://127.0.0.1:{socks}");
    run(&mut install_by(&machine, "https", &[("ALL_PROXY", &url)]))
        .failed(6)
        .saying(&["passed over go.test: its name cannot be resolved"]);
    machine.has_nothing_installed();
}
