//! TLS by rustls, with aws-lc-rs.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use ::rustls::crypto::aws_lc_rs::default_provider;
use ::rustls::pki_types::ServerName;
use ::rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::http::roots::Roots;
use crate::http::wire::Wire;

/// The last roots that were asked for, read: reading the system's takes long.
static CONFIG: Mutex<Option<(Roots, Arc<ClientConfig>)>> = Mutex::new(None);

pub(crate) struct Session {
    connection: ClientConnection,
    wire: Wire,
    /// Bytes that are decrypted and not read.
    waiting: usize,
}

impl Session {
    pub(crate) fn new(wire: Wire, host: &str, roots: &Roots) -> Result<Session, String> {
        let name = ServerName::try_from(host.to_string()).map_err(|e| e.to_string())?;
        let connection = ClientConnection::new(config(roots)?, name).map_err(|e| e.to_string())?;
        Ok(Session { connection, wire, waiting: 0 })
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.connection.is_handshaking()
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    pub(crate) fn has_more(&self) -> bool {
        self.waiting > 0
    }

    /// Takes in what has come over the wire.
    fn receive(&mut self) -> io::Result<()> {
        if self.connection.read_tls(&mut self.wire)? == 0 && self.connection.is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let state = self.connection.process_new_packets();
        // An answer to the handshake, or the alert that tells the server why there is none. One that takes nothing more may
        // have sent something all the same.
        let _ = self.flush();
        let state = state.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        self.waiting = state.plaintext_bytes_to_read();
        Ok(())
    }
}

fn config(roots: &Roots) -> Result<Arc<ClientConfig>, String> {
    let mut last = CONFIG.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, config)) = last.as_ref().filter(|(of, _)| of == roots) {
        return Ok(config.clone());
    }
    let found = match roots {
        Roots::Bundle(file) => rustls_native_certs::load_certs_from_paths(Some(file), None),
        Roots::Folder(folder) => rustls_native_certs::load_certs_from_paths(None, Some(folder)),
        Roots::System => rustls_native_certs::load_native_certs(),
    };
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        return Err("no CA certificates were found on this system".to_string());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth();
    let config = Arc::new(config);
    *last = Some((roots.clone(), config.clone()));
    Ok(config)
}

impl Read for Session {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(into) {
                Ok(n) => {
                    self.waiting = self.waiting.saturating_sub(n);
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.receive()?,
                Err(e) => return Err(e),
            }
        }
    }
}

impl Write for Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // So that no more than one piece waits in the library.
        self.flush()?;
        let n = self.connection.writer().write(bytes)?;
        match self.flush() {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(n),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.wire)?;
        }
        Ok(())
    }
}
