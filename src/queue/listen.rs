//! Where the server listens, and why it cannot run.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::ask;
use super::settings::QueueSettings;
use crate::config::Paths;
use crate::sys::file::{self, FileError};

/// Why the server cannot run.
#[derive(Debug)]
pub enum ServerError {
    /// The address is taken, or may not be used.
    Listen(SocketAddr, io::Error),
    /// Another gmq serves this root.
    IsRunning,
    /// The system refused what the loop needs: what.
    System(&'static str, io::Error),
    /// The lock could not be made.
    File(FileError),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerError::Listen(address, e) => {
                write!(f, "cannot listen on {address}: {e}; is another server there? `gmq cfg set http port N` moves this one")
            }
            ServerError::IsRunning => f.write_str("another gmq is running; `supervisorctl status gmq` shows it"),
            ServerError::System(what, e) => write!(f, "cannot {what}: {e}"),
            ServerError::File(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for ServerError {}

/// Listens, and says where.
pub(super) fn listen(paths: &Paths, port: Option<u16>) -> Result<Vec<TcpListener>, ServerError> {
    let listeners = bind(port.unwrap_or_else(|| QueueSettings::load(paths).port()))?;
    if let Some(address) = listeners.first().and_then(|l| l.local_addr().ok()) {
        let port = address.port().to_string();
        if let Err(e) = file::replace(&ask::port_file(paths), port.as_bytes(), 0o644) {
            crate::warning!("{e}; the gmq commands look for the server at the configured port");
        }
        crate::info!("listening on http://{address}");
    }
    Ok(listeners)
}

/// Both loopback addresses: clients that look up `localhost` may take either first. IPv6 may be missing.
fn bind(port: u16) -> Result<Vec<TcpListener>, ServerError> {
    let open = |address: SocketAddr| -> io::Result<TcpListener> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let first = open(address).map_err(|e| ServerError::Listen(address, e))?;
    let port = first.local_addr().map_or(port, |address| address.port());
    let mut listeners = vec![first];
    match open(SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
        Ok(listener) => listeners.push(listener),
        Err(e) => crate::debug!("not listening on [::1]: {e}"),
    }
    Ok(listeners)
}
