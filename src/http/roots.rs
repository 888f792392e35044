//! Which roots TLS trusts: those of the `cacert` setting alone, or the system's.
//!
//! Of the system's, OpenSSL reads the whole bundle at each request (37 ms of CPU for 145 CAs; docs/spec/device-api.md). Where the
//! system's folder has hash links, it looks up only the one that it needs if it is given the folder alone: a fifth of the CPU.
//! That is done only where there are as many links as the bundle has certificates, so that no root is lost, and where the
//! environment says nothing of roots. rustls reads everything in either case, once per process.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::error::TransportError;
use crate::config::bundle;
use crate::format::hex;

/// Where people tell TLS libraries of their roots.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The system's roots, one file a root and hash links to them.
const SYSTEM_FOLDER: &str = "/etc/ssl/certs";
/// All of them in one file, in that folder.
const BUNDLE: &str = "ca-certificates.crt";
/// So much of it is looked at, in bytes; distributions have a quarter of a megabyte.
const MAX_BUNDLE: u64 = 16 * 1024 * 1024;
/// So many entries of that folder are looked at: a folder with links has them in between.
const MAX_ENTRIES: usize = 2000;

/// Where the trusted certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(feature = "tls-openssl", feature = "tls-rustls")), allow(dead_code))]
pub(crate) enum Roots {
    /// In this file, and nowhere else.
    Bundle(PathBuf),
    /// In this folder, by their hashes.
    Folder(PathBuf),
    /// Where the library looks for them, and where the environment tells it to.
    System,
}

/// The roots for a `cacert` setting.
pub(crate) fn choose(cacert: Option<&Path>) -> Result<Roots, Box<TransportError>> {
    let Some(path) = cacert else { return Ok(system().clone()) };
    // Said here, with its name: the libraries would only say that the server's issuer is unknown.
    match bundle::check(path) {
        Ok(_) => Ok(Roots::Bundle(path.to_path_buf())),
        Err(source) => Err(TransportError::Roots { path: path.to_path_buf(), source }.into()),
    }
}

/// The system's roots; looked for once.
fn system() -> &'static Roots {
    static FOUND: OnceLock<Roots> = OnceLock::new();
    FOUND.get_or_init(|| {
        let is_set_by_user = VARIABLES.iter().any(|name| env::var_os(name).is_some());
        if cfg!(feature = "tls-rustls") || is_set_by_user || !is_linked(Path::new(SYSTEM_FOLDER)) {
            Roots::System
        } else {
            Roots::Folder(PathBuf::from(SYSTEM_FOLDER))
        }
    })
}

/// Whether the folder has a hash link, such as `5ad8a5d6.0`, for each certificate of its bundle.
fn is_linked(folder: &Path) -> bool {
    let links = fs::read_dir(folder).map_or(0, |entries| {
        let is_link = |entry: &fs::DirEntry| is_hash_name(&entry.file_name()) && entry.path().is_file();
        entries.take(MAX_ENTRIES).flatten().filter(is_link).count()
    });
    links > 0 && certificates_in(&folder.join(BUNDLE)).is_ok_and(|bundled| links >= bundled)
}

fn is_hash_name(name: &OsStr) -> bool {
    let (hash, number) = name.to_str().and_then(|n| n.split_once('.')).unwrap_or_default();
    hex::is_hash(hash, 8) && number.parse::<u8>().is_ok()
}

/// How many certificates a bundle holds; one that is not there holds none.
fn certificates_in(bundle: &Path) -> io::Result<usize> {
    let file = match fs::File::open(bundle) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file?,
    };
    let (mut reader, mut line, mut count) = (BufReader::new(file.take(MAX_BUNDLE)), Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        count += usize::from(line.starts_with(b"-----BEGIN"));
        line.clear();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_folder_is_used_only_where_it_lacks_no_root() {
        let dir = env::temp_dir().join(format!("gwe-roots-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        assert!(!is_linked(&dir), "no links");
        fs::write(dir.join("notahash.0"), "").unwrap();
        symlink("nowhere", dir.join("01234567.0")).unwrap();
        assert!(!is_linked(&dir), "no links that lead anywhere");
        fs::write(dir.join("5ad8a5d6.0"), "").unwrap();
        assert!(is_linked(&dir), "links and no bundle");
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        fs::write(dir.join(BUNDLE), certificate.repeat(2)).unwrap();
        assert!(!is_linked(&dir), "a root of the bundle has no link");
        fs::write(dir.join("5ad8a5d6.1"), "").unwrap();
        assert!(is_linked(&dir));
        assert!(!is_linked(&dir.join("none")));
        fs::remove_dir_all(dir).unwrap();
    }
}
