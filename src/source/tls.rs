//! Whom gvm believes that a server is who it says: the authorities of the system,
//! and those that the user names.

use crate::config::variable;
use crate::error::{Code, Error, Result};
use crate::files;
use crate::path::display;
use crate::ui::shown;
use reqwest::{Certificate, ClientBuilder};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, RootCertStore};
use std::env;
use std::io;
use std::path::Path;

/// Where OpenSSL, Go and others look for authorities, in place of the system's.
const CERT_FILE: &str = "SSL_CERT_FILE";
/// The same for a directory. The platform verifier reads it, and then both, where
/// it reads files at all.
const CERT_DIR: &str = "SSL_CERT_DIR";
/// A hundred times what all public authorities take.
const MAX_BUNDLE: usize = 32 << 20;

/// A client with the authorities of the system and of the variables.
///
/// # Errors
/// A variable names no file with certificates, or there is no authority at all.
pub(super) fn client(builder: ClientBuilder) -> Result<reqwest::Client> {
    let added = match env::var_os(variable::CA_BUNDLE).filter(|value| !value.is_empty()) {
        Some(file) => authorities(variable::CA_BUNDLE, Path::new(&file))?,
        None => Vec::new(),
    };
    let instead =
        env::var_os(CERT_FILE).map(|file| authorities(CERT_FILE, Path::new(&file))).transpose()?;
    // Windows and macOS ask their own stores, whatever directory is named.
    let reads_files = cfg!(all(unix, not(target_vendor = "apple")));
    let has_directory = reads_files && env::var_os(CERT_DIR).is_some_and(|value| !value.is_empty());
    let builder = match instead {
        Some(instead) if !has_directory => builder.tls_certs_only(instead.into_iter().chain(added)),
        _ => builder.tls_certs_merge(added),
    };
    builder.build().map_err(|error| {
        let why = super::http::deepest(&error);
        // rustls-platform-verifier has no type for it. Small containers are like that.
        if !why.contains("No CA certificates") {
            return Error::from(io::Error::other(why)).context("TLS cannot be set up");
        }
        // They may be there, and no file can be opened any more.
        if let Err(error) = env::current_exe().and_then(fs_err::File::open) {
            return error.into();
        }
        let message = "this machine knows no certificate authority, and could trust no server";
        Error::new(Code::Failure, message)
            .hint("to have those that all systems have, install the package ca-certificates")
            .hint(format!("to have your own, name a PEM file in {}", variable::CA_BUNDLE))
    })
}

/// The authorities in a PEM file. As with the system's, one that cannot be used
/// does not spoil the others.
fn authorities(name: &str, file: &Path) -> Result<Vec<Certificate>> {
    let unusable = |why: String| {
        Error::new(Code::Usage, format!("{name} is of no use: {why}"))
            .hint(format!("name a PEM file with certificates in it, or unset {name}"))
    };
    let path = shown(file);
    let pem = files::read(file, MAX_BUNDLE)
        .map_err(|error| unusable(display(error.to_string().as_bytes()).to_string()))?
        .ok_or_else(|| unusable(format!("there is no file {path}")))?;
    let mut store = RootCertStore::empty();
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .filter_map(std::result::Result::ok)
        .filter(|certificate| store.add(certificate.clone()).is_ok())
        .filter_map(|certificate| Certificate::from_der(&certificate).ok())
        .collect();
    if certificates.is_empty() {
        return Err(unusable(format!("{path} holds no certificate")));
    }
    Ok(certificates)
}

/// What is wrong with a server's certificate, where that is what ended a request.
pub(super) fn distrust(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let rustls::Error::InvalidCertificate(certificate) = tls_error(error)? else { return None };
    Some(match certificate {
        CertificateError::UnknownIssuer => format!(
            "its certificate is not trusted: no authority that this machine knows has signed it \
             (one of your own goes into a PEM file that {} names)",
            variable::CA_BUNDLE
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate is not trusted: it has expired, or this machine's clock is wrong"
                .into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not trusted: it is not valid yet, or this machine's clock is wrong"
                .into()
        }
        CertificateError::NotValidForName => {
            "its certificate is not trusted: it is for another name".into()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.join(", ");
            let names = display(names.as_bytes());
            format!("its certificate is not trusted: it is for another name: {names}")
        }
        other => {
            let why = other.to_string();
            let why = display(why.as_bytes());
            format!("its certificate is not trusted: {why}")
        }
    })
}

/// The error of TLS in a chain. What an I/O error wraps is not its source.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        at = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
