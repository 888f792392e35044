//! A certificate authority of our own, and the server's certificate signed by it, kept in the data folder.

use super::platform::Options;
use rcgen::{
    date_time_ymd, BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{crypto, ServerConfig};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Names that the certificate is good for; more come with [`Options::tls_names`].
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", "*.m2.exosite.io"];

/// The CA's certificate in a data folder, in PEM.
pub fn ca_certificate(data: &Path) -> PathBuf {
    data.join("tls/ca.pem")
}

/// TLS 1.2 and 1.3 with the certificate in the data folder. It is made where there is none, and anew where
/// [`Options::tls_valid`] asks for certain times.
pub fn server_config(options: &Options) -> io::Result<Arc<ServerConfig>> {
    let folder = options.data.join("tls");
    let (chain, key) = (folder.join("server.pem"), folder.join("server.key"));
    let made = ca_certificate(&options.data).exists() && chain.exists() && key.exists();
    if !made || options.tls_valid.is_some() || !options.tls_names.is_empty() {
        fs::create_dir_all(&folder)?;
        make(options, &chain, &key).map_err(io::Error::other)?;
    }
    let chain: Vec<_> = CertificateDer::pem_file_iter(&chain).and_then(Iterator::collect).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(io::Error::other)?;
    Ok(Arc::new(config))
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes the CA and the server's certificate. The CA's key is forgotten: nothing else is ever signed with it.
fn make(options: &Options, chain: &Path, key: &Path) -> Result<(), BoxError> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name.push(DnType::CommonName, "murano test CA");
    (ca.not_before, ca.not_after) = (date_time_ymd(1970, 1, 1), date_time_ymd(2099, 12, 31));
    let ca_key = KeyPair::generate()?;
    let ca_certificate = ca.self_signed(&ca_key)?;

    let names = NAMES.iter().map(ToString::to_string).chain(options.tls_names.iter().cloned());
    let mut server = CertificateParams::new(names.collect::<Vec<_>>())?;
    server.distinguished_name.push(DnType::CommonName, "murano");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    (server.not_before, server.not_after) = match options.tls_valid {
        None => (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 12, 31)),
        Some((from, until)) => {
            let at = |unix| date_time_ymd(1970, 1, 1) + Duration::from_secs(unix);
            (at(from), at(until))
        }
    };
    let server_key = KeyPair::generate()?;
    let certificate = server.signed_by(&server_key, &Issuer::new(ca, ca_key))?;

    fs::write(self::ca_certificate(&options.data), ca_certificate.pem())?;
    fs::write(key, server_key.serialize_pem())?;
    fs::write(chain, certificate.pem())?;
    Ok(())
}
