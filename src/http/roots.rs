//! Where the TLS library finds its roots: set once per process, by the environment, which is the only way minreq leaves.
//!
//! Without a `cacert` setting, OpenSSL reads the system's whole bundle at each request (37 ms of CPU for 145 CAs;
//! docs/spec/device-api.md). Where the system's folder has hash links it looks up only the one that it needs, if it is not told of
//! the bundle: a fifth of the CPU. That is done only where there are as many links as the bundle has certificates, so that no
//! root is lost. rustls reads everything in either case, so it is left alone.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::error::TransportError;
use crate::config::bundle;
use crate::format::hex;

/// What TLS libraries look at.
const FILE: &str = "SSL_CERT_FILE";
const FOLDER: &str = "SSL_CERT_DIR";
/// minreq's own deadline, which leaks threads.
const MINREQ_TIMEOUT: &str = "MINREQ_TIMEOUT";

/// The system's roots, one file a root and hash links to them.
const SYSTEM_FOLDER: &str = "/etc/ssl/certs";
/// All of them in one file, in that folder.
const BUNDLE: &str = "ca-certificates.crt";
/// So much of it is looked at, in bytes; distributions have a quarter of a megabyte.
const MAX_BUNDLE: u64 = 16 * 1024 * 1024;
/// So many entries of that folder are looked at: a folder with links has them in between.
const MAX_ENTRIES: usize = 2000;

/// The environment as it was.
static BEFORE: OnceLock<[(&str, Option<OsString>); 2]> = OnceLock::new();

/// Points the TLS library at its roots. Call it before the process has a second thread: `Client::new` does. The first call
/// in a process counts.
pub(crate) fn prepare(cacert: Option<&Path>, https: bool) -> Result<(), TransportError> {
    if env::var_os(MINREQ_TIMEOUT).is_some() {
        env::remove_var(MINREQ_TIMEOUT);
    }
    if !https {
        return Ok(());
    }
    if let Some(path) = cacert {
        // Said here, with its name: the libraries would only say that the server's issuer is unknown.
        bundle::check(path).map_err(|source| TransportError::Roots { path: path.to_path_buf(), source })?;
    }
    if BEFORE.get().is_some() {
        return Ok(());
    }
    let before = BEFORE.get_or_init(|| [FILE, FOLDER].map(|name| (name, env::var_os(name))));
    let is_set_by_user = before.iter().any(|(_, value)| value.is_some());
    match cacert {
        // No folder: what is not in the bundle is not trusted.
        Some(path) => set(path.as_os_str(), OsStr::new("")),
        None if cfg!(feature = "tls-rustls") || is_set_by_user || !is_linked(Path::new(SYSTEM_FOLDER)) => {}
        None => set(OsStr::new("/dev/null"), OsStr::new(SYSTEM_FOLDER)),
    }
    Ok(())
}

fn set(file: &OsStr, folder: &OsStr) {
    env::set_var(FILE, file);
    env::set_var(FOLDER, folder);
}

/// Gives a program that this process starts the environment that this process was given: its TLS is its own affair.
pub fn restore_environment(command: &mut Command) {
    for (name, value) in BEFORE.get().into_iter().flatten() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
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
