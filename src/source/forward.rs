//! The proxies that requests go through, by the variables that curl and Go read
//! for them. Not module proxies, which are a source.

use super::http;
use crate::error::{Code, Error, Result};
use reqwest::{Proxy, Url};
use std::env;
use std::net::IpAddr;

const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// A proxy, and the variable that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Via {
    variable: &'static str,
    /// With user and password.
    url: Url,
}

/// Which proxy requests go through.
#[derive(Debug, Default)]
pub(super) struct Forward {
    http: Option<Via>,
    https: Option<Via>,
    /// `NO_PROXY`.
    exceptions: String,
}

impl Forward {
    /// # Errors
    /// A variable that counts names no proxy.
    pub(super) fn from_environment() -> Result<Self> {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        // In a CGI program, HTTP_PROXY is whatever a request's header `Proxy` says
        // (CVE-2016-5385).
        let is_cgi = get("REQUEST_METHOD").is_some();
        let set = |name: &'static str| {
            let value = get(name).filter(|value| !value.is_empty())?;
            (name != "HTTP_PROXY" || !is_cgi).then_some((name, value))
        };
        let first = |names: [&'static str; 4]| {
            let (variable, value) = names.into_iter().find_map(set)?;
            let url = parse(&value).map_err(|why| {
                // Never the value: there may be a password in it, wherever.
                Error::new(Code::Usage, format!("{variable} names no proxy: {why}"))
                    .hint("it has to be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT")
            });
            Some(url.map(|url| Via { variable, url }))
        };
        let exceptions = set("NO_PROXY").or_else(|| set("no_proxy"));
        Ok(Self {
            http: first(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]).transpose()?,
            https: first(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]).transpose()?,
            exceptions: exceptions.map(|(_, value)| value).unwrap_or_default(),
        })
    }

    /// For the client; `None` where no variable names a proxy, so that the settings
    /// of macOS and Windows count.
    pub(super) fn proxy(self) -> Option<Proxy> {
        if self.http.is_none() && self.https.is_none() {
            return None;
        }
        Some(Proxy::custom(move |url| self.of(url).map(|via| via.url.clone())))
    }

    fn of(&self, url: &Url) -> Option<&Via> {
        let via = match url.scheme() {
            "http" => self.http.as_ref(),
            _ => self.https.as_ref(),
        }?;
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default();
        let is_local =
            host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        // As the go command has it: a proxy cannot mean this machine.
        (!is_local && !is_excepted(&self.exceptions, host, port)).then_some(via)
    }
}

/// A proxy's URL; without a scheme it is http.
fn parse(value: &str) -> Result<Url, String> {
    let value = value.trim();
    let url = match value.contains("://") {
        true => Url::parse(value),
        false => Url::parse(&format!("http://{value}")),
    };
    let url = url.map_err(|why| format!("its URL cannot be read ({why})"))?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(format!("its URL begins with none of {}", SCHEMES.join(", ")));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("its URL names no host".into());
    }
    Ok(url)
}

/// Whether NO_PROXY's list has a host: `*`, addresses and networks (`10.0.0.0/8`),
/// and domains with what is below them (`example.com`, `.example.com`), with or
/// without a port.
fn is_excepted(list: &str, host: &str, port: Option<u16>) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            let network = network.parse().ok().zip(bits.parse().ok());
            return network
                .zip(address)
                .is_some_and(|((network, bits), address)| is_within(address, network, bits));
        }
        let bare = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let (name, only) = match entry.rsplit_once(':') {
            // The colons of an IPv6 address are its own.
            Some((name, digits)) if bare(entry).is_none() => (name, digits.parse::<u16>().ok()),
            _ => (entry, None),
        };
        if only.is_some() && only != port {
            return false;
        }
        if let Some(excepted) = bare(name) {
            return address == Some(excepted);
        }
        let name = name.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
        let host = host.to_ascii_lowercase();
        let above = host.strip_suffix(name.as_str());
        !name.is_empty() && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    })
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let differing = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (a.to_bits() ^ n.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits() ^ n.to_bits()).leading_zeros(),
        _ => return false,
    };
    differing >= bits
}

/// How the proxy for a URL is called in messages: its place, never its password.
fn named(url: &Url) -> Option<String> {
    let forward = Forward::from_environment().ok()?;
    let Via { variable, url } = forward.of(url)?;
    Some(format!("the proxy {} ({variable})", http::host(url.as_str())))
}

/// What a proxy did to a request that had no answer, if it was one. `causes` is the
/// whole chain in lower case.
pub(super) fn trouble(error: &reqwest::Error, causes: &str) -> Option<String> {
    let proxy = named(error.url()?)?;
    let deepest = http::deepest(error);
    let deepest = gvm_hot::path::display(deepest.as_bytes()).to_string();
    if causes.contains("proxy authorization required") {
        return Some(wants_another(&proxy));
    }
    // By socks4 and socks5, the server's name is looked up here.
    if !error.is_connect() || causes.contains("resolving for socks proxy") {
        return None;
    }
    let is_handshake = causes.contains("tunnel error") || causes.contains("socks error");
    Some(if causes.contains("tunnel error: unsuccessful") {
        format!("{proxy} refuses to connect to it")
    } else if causes.contains("dns") || causes.contains("lookup") {
        format!("the name of {proxy} cannot be resolved")
    } else if error.is_timeout() {
        format!("{proxy} does not answer in time")
    } else if is_handshake && !causes.contains("underlying connection") {
        format!("{proxy} makes no connection: {deepest}")
    } else {
        format!("{proxy} cannot be reached: {deepest}")
    })
}

/// What a status means that is a proxy's and not the server's, if it is.
pub(super) fn refusal(url: &Url, status: u16) -> Option<String> {
    if status == 407 { named(url).map(|proxy| wants_another(&proxy)) } else { None }
}

fn wants_another(proxy: &str) -> String {
    format!("{proxy} wants a user and password, or others than it was given")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(variables: &[(&str, &str)]) -> Result<Forward> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Forward::from_variables(|name| find(name).map(|(_, value)| value.to_string()))
    }

    fn of(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let forward = forward(variables).unwrap();
        forward.of(&Url::parse(url).unwrap()).map(|via| format!("{} {}", via.variable, via.url))
    }

    #[test]
    fn each_scheme_has_its_proxy_and_all_proxy_has_the_rest() {
        let both = [("http_proxy", "a.test:81"), ("HTTPS_PROXY", "https://b.test:82")];
        assert_eq!(of(&both, "http://go.test/").unwrap(), "http_proxy http://a.test:81/");
        assert_eq!(of(&both, "https://go.test/").unwrap(), "HTTPS_PROXY https://b.test:82/");
        let all = [("all_proxy", "socks5h://c.test"), ("HTTP_PROXY", ""), ("http_proxy", "d.test")];
        assert_eq!(of(&all, "http://go.test/").unwrap(), "http_proxy http://d.test/");
        assert_eq!(of(&all, "https://go.test/").unwrap(), "all_proxy socks5h://c.test");
        for local in ["http://localhost:1/", "http://127.8.0.1/", "http://[::1]:80/"] {
            assert_eq!(of(&both, local), None, "{local}");
        }
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil.test")];
        assert_eq!(of(&cgi, "http://go.test/"), None);
        assert_eq!(of(&[], "http://go.test/"), None);
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        let long = "x".repeat(70_000);
        for value in [
            "http://user:secret@",
            "http://user:secret",
            "http://user:secret/more@proxy.test:1",
            "http://user:secret#more@proxy.test:1",
            "http://user:secret@proxy.test:99999",
            "ftp://user:secret@proxy.test",
            "socks://user:secret@proxy.test",
            "http://secret host/",
            "://secret",
            &format!("http://secret:{long}"),
        ] {
            let error = forward(&[("ALL_PROXY", value)]).unwrap_err();
            assert_eq!(error.code, Code::Usage);
            assert!(error.to_string().starts_with("ALL_PROXY names no proxy: "), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        // What is not used may be anything.
        let unused = [("ALL_PROXY", "?"), ("HTTP_PROXY", "a.test"), ("HTTPS_PROXY", "a.test")];
        assert!(forward(&unused).is_ok());
        let at = [("HTTP_PROXY", "http://user:p@ss@a.test:81")];
        assert_eq!(of(&at, "http://go.test/").unwrap(), "HTTP_PROXY http://user:p%40ss@a.test:81/");
    }

    #[test]
    fn no_proxy_has_names_addresses_and_networks() {
        for (list, host, excepted) in [
            ("*", "go.test", true),
            ("go.test", "go.test", true),
            ("other.test, .GO.test", "dl.go.test", true),
            ("*.go.test", "dl.go.test", true),
            ("go.test", "ergo.test", false),
            ("go.test:80", "go.test", true),
            ("go.test:81", "go.test", false),
            ("10.0.0.0/8", "10.9.8.7", true),
            ("10.0.0.0/8", "11.9.8.7", false),
            ("0.0.0.0/0", "11.9.8.7", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "10.9.8.7", false),
            ("10.9.8.7", "10.9.8.7", true),
            ("10.9.8.7:80", "10.9.8.7", true),
            ("fd12::1", "fd12::1", true),
            ("[fd12::1]:80", "fd12::1", true),
            ("[fd12::1]:81", "fd12::1", false),
            (",. ,", "go.test", false),
            ("", "go.test", false),
        ] {
            assert_eq!(is_excepted(list, host, Some(80)), excepted, "{list} {host}");
        }
    }
}
