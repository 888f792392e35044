//! Listens, and gives each connection a thread.

use super::connection;
use super::platform::{Options, Platform};
use super::tls;
use rustls::ServerConfig;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// More connections at a time are answered with 503.
const MAX_CONNECTIONS: usize = 512;
/// A connection's thread needs little.
const STACK: usize = 512 * 1024;
/// How long stopping waits for connections to end.
const STOP_WAIT: Duration = Duration::from_secs(3);

type Connections = Arc<Mutex<Vec<Weak<TcpStream>>>>;

/// A running server; it stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    platform: Arc<Platform>,
    http: SocketAddr,
    https: Option<SocketAddr>,
    acceptors: Vec<JoinHandle<()>>,
    connections: Connections,
}

impl Server {
    /// Starts to listen. Fails on an address that is not loopback, but for HTTPS with a token.
    pub fn start(options: Options) -> io::Result<Server> {
        let tls = match options.tls_listen {
            Some(_) => Some(tls::server_config(&options)?),
            None => None,
        };
        let http = listen(&options.listen, Reach::Loopback)?;
        let reach = if options.token.is_some() { Reach::Anywhere } else { Reach::Loopback };
        let https = options.tls_listen.as_deref().map(|address| listen(address, reach)).transpose()?;
        let mut server = Server {
            platform: Arc::new(Platform::open(options)?),
            http: http.local_addr()?,
            https: https.as_ref().map(TcpListener::local_addr).transpose()?,
            acceptors: Vec::new(),
            connections: Arc::default(),
        };
        server.accept(http, None)?;
        if let Some(https) = https {
            server.accept(https, tls)?;
        }
        Ok(server)
    }

    /// Where it listens, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Where it listens for TLS, if it does.
    pub fn tls_url(&self) -> Option<String> {
        self.https.map(|address| format!("https://{address}"))
    }

    /// The certificate of the CA that signed the server's, in PEM; there is one if it listens for TLS.
    pub fn ca_certificate(&self) -> PathBuf {
        tls::ca_certificate(&self.platform.options.data)
    }

    /// Store, content, faults and request log.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    fn accept(&mut self, listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
        let platform = self.platform.clone();
        let connections = self.connections.clone();
        let acceptor = thread::Builder::new().spawn(move || {
            for tcp in listener.incoming() {
                if platform.stop.load(SeqCst) {
                    return;
                }
                match tcp {
                    Ok(tcp) => start_connection(tcp, &platform, &tls, &connections),
                    // Such as too many open files: there may be fewer soon.
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            }
        })?;
        self.acceptors.push(acceptor);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.platform.stop.store(true, SeqCst);
        self.platform.announce_change();
        for address in [Some(self.http), self.https].into_iter().flatten() {
            // Wakes the acceptor, which then sees that it is to stop.
            let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        }
        for acceptor in self.acceptors.drain(..) {
            let _ = acceptor.join();
        }
        let until = Instant::now() + STOP_WAIT;
        while Instant::now() < until {
            let open = open_connections(&self.connections);
            if open.is_empty() {
                return;
            }
            for tcp in open {
                let _ = tcp.shutdown(Shutdown::Both);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Where a listener may be.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    Loopback,
    Anywhere,
}

fn listen(address: &str, reach: Reach) -> io::Result<TcpListener> {
    let addresses: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?
        .collect();
    if reach == Reach::Loopback && !addresses.iter().all(|address| address.ip().is_loopback()) {
        let why = format!(
            "cannot listen on {address}: plain HTTP, and a server without a token, are for this machine alone, since CIKs and orders would \
             be open to the network; use 127.0.0.1, or --tls-listen {address} with --token"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    TcpListener::bind(&addresses[..])
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

fn start_connection(
    mut tcp: TcpStream,
    platform: &Arc<Platform>,
    tls: &Option<Arc<ServerConfig>>,
    connections: &Connections,
) {
    if open_connections(connections).len() >= MAX_CONNECTIONS {
        let _ = tcp.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let (platform, tls) = (platform.clone(), tls.clone());
    let tcp = Arc::new(tcp);
    connections.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&tcp));
    let serve = move || connection::serve(&platform, tcp, tls);
    let _ = thread::Builder::new().stack_size(STACK).spawn(serve);
}

/// The connections that are not closed; forgets the others.
fn open_connections(connections: &Connections) -> Vec<Arc<TcpStream>> {
    let mut list = connections.lock().unwrap_or_else(PoisonError::into_inner);
    list.retain(|tcp| tcp.strong_count() > 0);
    list.iter().filter_map(Weak::upgrade).collect()
}
