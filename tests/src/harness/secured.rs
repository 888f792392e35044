//! TLS before a [`Scripted`] server: for what no sane server would say, inside of TLS.

use super::{Scratch, Scripted};
use crate::murano::{tls, Options};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// No connection is served longer.
const LIFE: Duration = Duration::from_secs(120);
/// How often it is looked whether the guest has gone.
const STEP: Duration = Duration::from_millis(50);

/// A port of 127.0.0.1 with TLS; it stops when dropped.
pub struct Secured {
    port: u16,
    ca: PathBuf,
    bytes: Arc<[AtomicU64; 2]>,
    is_over: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
    _data: Scratch,
}

impl Secured {
    /// Takes a request, passes it on, passes the answer back, and ends TLS as it should be ended.
    #[track_caller]
    pub fn before(server: &Scripted) -> Secured {
        let data = Scratch::new();
        let options = Options::new(data.path("data"));
        let config = tls::server_config(&options).expect("a certificate can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let (bytes, is_over) = (Arc::new([AtomicU64::new(0), AtomicU64::new(0)]), Arc::new(AtomicBool::new(false)));
        let there = server.port();
        let acceptor = thread::spawn({
            let (bytes, is_over) = (bytes.clone(), is_over.clone());
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if is_over.load(SeqCst) {
                        break;
                    }
                    let (config, wire) = (config.clone(), Counted { stream, bytes: bytes.clone() });
                    thread::spawn(move || serve(config, wire, there));
                }
            }
        });
        Secured { port, ca: tls::ca_certificate(&options.data), bytes, is_over, acceptor: Some(acceptor), _data: data }
    }

    /// Such as `https://127.0.0.1:40001`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The CA that signed its certificate, in PEM.
    pub fn ca_certificate(&self) -> PathBuf {
        self.ca.clone()
    }

    /// Bytes on the wire so far: from the guests, and to them.
    pub fn bytes(&self) -> (u64, u64) {
        (self.bytes[0].load(SeqCst), self.bytes[1].load(SeqCst))
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.is_over.store(true, SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

struct Counted {
    stream: TcpStream,
    bytes: Arc<[AtomicU64; 2]>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(into)?;
        self.bytes[0].fetch_add(count as u64, SeqCst);
        Ok(count)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.bytes[1].fetch_add(count as u64, SeqCst);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A guest who goes away is no failure.
fn serve(config: Arc<ServerConfig>, wire: Counted, there: u16) -> Option<()> {
    wire.stream.set_read_timeout(Some(LIFE)).ok()?;
    wire.stream.set_write_timeout(Some(LIFE)).ok()?;
    let guest = wire.stream.try_clone().ok()?;
    let mut guest_tls = StreamOwned::new(ServerConnection::new(config).ok()?, wire);
    let mut there = TcpStream::connect(("127.0.0.1", there)).ok()?;
    let (mut request, mut part) = (Vec::new(), [0; 16 * 1024]);
    while !super::scripted::is_complete(&request) {
        match guest_tls.read(&mut part).ok()? {
            0 => return None,
            count => request.extend_from_slice(&part[..count]),
        }
    }
    there.write_all(&request).ok()?;
    there.set_read_timeout(Some(STEP)).ok()?;
    let begun = Instant::now();
    loop {
        match there.read(&mut part) {
            Ok(0) => break,
            Ok(count) => guest_tls.write_all(&part[..count]).ok()?,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && begun.elapsed() < LIFE => {
                guest.set_nonblocking(true).ok()?;
                let is_gone = matches!(guest.peek(&mut [0]), Ok(0));
                guest.set_nonblocking(false).ok()?;
                if is_gone {
                    return None;
                }
            }
            Err(_) => return None,
        }
    }
    guest_tls.conn.send_close_notify();
    guest_tls.flush().ok()
}
