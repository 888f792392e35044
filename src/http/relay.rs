//! The connection under minreq: a loopback listener that poses as minreq's proxy, and a thread that copies bytes between
//! minreq and a connection that is ours, in TLS or not.
//!
//! minreq's own connection has no stall or connect timeout, leaks a thread at its deadline, gives the first address of a
//! name the whole time, and panics at a bad proxy (docs/spec/device-api.md, "What minreq 3.0.0 does"). So it is never used:
//! minreq is told that 127.0.0.1 is its proxy, and this module
//! - speaks TLS to the server ([`Link`](super::link::Link)): what passes here is the server's HTTP in any case;
//! - ends the request at its deadlines, by closing ([`Watchdog`](super::watchdog::Watchdog));
//! - counts the bytes on the wire;
//! - follows the framing of the answer, bounds its head, and passes over what comes before it ([`Follower`](super::framing::Follower)).
//!
//! Invariants: a stranger on the loopback gets nothing (a random token, once per request, stands in minreq's CONNECT); one
//! thread per request, which has ended when [`Relay::finish`] returns; two buffers, no allocation while copying. The socket
//! that minreq writes its CONNECT to stays open until that is read: minreq would panic at an error there.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::account::{RelayAccount, RelayEnd, RelayProgress};
use super::framing::Verdict;
use super::link::Link;
use super::pump::Pump;
use super::watchdog::TimeLimits;
use crate::format::base64;
use crate::format::hex;
use crate::sys::poll::Watch;
use crate::sys::random;

/// The thread's stack; the buffers are elsewhere.
const STACK: usize = 128 * 1024;
/// The user name in minreq's CONNECT; what counts is the password.
const USER: &str = "gwe";
/// The longest CONNECT that minreq writes.
const MAX_CONNECT: usize = 4 * 1024;
/// So many connections that have not said who they are may be there at a time.
const MAX_STRANGERS: usize = 16;
/// How often the thread looks whether minreq gave up before it connected.
const ACCEPT_STEP: Duration = Duration::from_millis(50);

/// A running relay, as its client sees it.
pub(crate) struct Relay {
    port: u16,
    token: String,
    progress: Arc<RelayProgress>,
    thread: JoinHandle<RelayAccount>,
}

impl Relay {
    /// Starts to relay for `remote`.
    pub(crate) fn start(remote: Link, limits: TimeLimits) -> io::Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let token = hex::encode(&random::token()?);
        let progress = Arc::new(RelayProgress::default());
        let expected = base64::encode([USER, ":", &token].concat().as_bytes());
        let thread = {
            let progress = progress.clone();
            thread::Builder::new()
                .name("relay".to_string())
                .stack_size(STACK)
                .spawn(move || run(&listener, &expected, remote, limits, &progress))?
        };
        Ok(Relay { port, token, progress, thread })
    }

    /// What minreq is to take for its proxy.
    pub(crate) fn proxy_url(&self) -> String {
        format!("http://{USER}:{}@127.0.0.1:{}", self.token, self.port)
    }

    /// Tells that the client deals with bytes (`true`) or waits for some.
    pub(crate) fn is_busy(&self, busy: bool) {
        self.progress.is_busy.store(busy, Relaxed);
    }

    /// Tells how many bytes of the body the client has dealt with so far.
    pub(crate) fn consumed(&self, bytes: u64) {
        self.progress.consumed.store((bytes >> 10) as u32, Relaxed);
    }

    /// Ends the relay. minreq's side must be closed, or never have been opened.
    pub(crate) fn finish(self) -> RelayAccount {
        self.progress.is_over.store(true, Relaxed);
        // A panic of the thread would be a bug of ours; it must not become one of the caller's.
        self.thread.join().unwrap_or(unused(io::ErrorKind::Other))
    }
}

fn run(
    listener: &TcpListener,
    expected: &str,
    remote: Link,
    limits: TimeLimits,
    progress: &RelayProgress,
) -> RelayAccount {
    match accept(listener, expected, progress) {
        Ok(local) => Pump::new(remote, local, limits).run(progress),
        Err(kind) => unused(kind),
    }
}

/// The account of a connection that nothing came of, for a reason on this machine.
fn unused(kind: io::ErrorKind) -> RelayAccount {
    RelayAccount { rx: 0, tx: 0, end: RelayEnd::Loopback(kind), server_closed: false, verdict: Verdict::CutHead }
}

/// Waits for minreq: for whoever knows the token. Nobody who says nothing is sent away: it may be minreq on a machine that
/// is short of time, and minreq panics where it cannot write its CONNECT.
fn accept(listener: &TcpListener, expected: &str, progress: &RelayProgress) -> Result<TcpStream, io::ErrorKind> {
    let mut callers: Vec<Caller> = Vec::new();
    let mut watch = Watch::default();
    while !progress.is_over.load(Relaxed) {
        watch.clear();
        watch.add(listener, true, false);
        for caller in &callers {
            watch.add(&caller.stream, true, false);
        }
        watch.wait(Some(ACCEPT_STEP)).map_err(|e| e.kind())?;
        for index in (0..callers.len()).rev().filter(|index| watch.ready(index + 1).read) {
            let mut caller = callers.swap_remove(index);
            match caller.listen(expected) {
                Some(true) => return caller.welcome().map_err(|e| e.kind()),
                Some(false) => {}
                None => callers.push(caller),
            }
        }
        if watch.ready(0).read {
            match listener.accept() {
                Ok(_) if callers.len() >= MAX_STRANGERS => return Err(io::ErrorKind::PermissionDenied),
                Ok((stream, _)) => callers.extend(Caller::new(stream)),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(e) => return Err(e.kind()),
            }
        }
    }
    Err(io::ErrorKind::NotConnected)
}

/// Somebody who has connected: minreq, or a stranger.
struct Caller {
    stream: TcpStream,
    /// What it has said so far.
    request: Vec<u8>,
}

impl Caller {
    fn new(stream: TcpStream) -> Option<Caller> {
        stream.set_nonblocking(true).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Caller { stream, request: Vec::new() })
    }

    /// Hears what it says: whether it knows the token, once that is clear.
    fn listen(&mut self, expected: &str) -> Option<bool> {
        let mut part = [0; 512];
        match self.stream.read(&mut part) {
            Ok(0) => return Some(false),
            Ok(n) => self.request.extend_from_slice(part.get(..n).unwrap_or(&[])),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return None,
            Err(_) => return Some(false),
        }
        if !self.request.ends_with(b"\r\n\r\n") {
            return (self.request.len() > MAX_CONNECT).then_some(false);
        }
        let request = String::from_utf8_lossy(&self.request);
        let credentials = request.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: Basic "));
        Some(credentials == Some(expected))
    }

    /// Answers its CONNECT: one short write, as minreq wants it.
    fn welcome(mut self) -> io::Result<TcpStream> {
        self.stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        Ok(self.stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::wire::Wire;
    use std::time::Instant;

    const LIMITS: TimeLimits = TimeLimits { stall: Duration::from_secs(10), total: None, rate: None };

    /// A relay, and the server's end of its connection.
    fn relay() -> (Relay, TcpStream) {
        relay_within(LIMITS)
    }

    fn relay_within(limits: TimeLimits) -> (Relay, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        remote.set_nonblocking(true).unwrap();
        (Relay::start(Link::Plain(Wire::new(remote)), limits).unwrap(), listener.accept().unwrap().0)
    }

    fn connect_text(token: &str) -> String {
        format!(
            "CONNECT h:1 HTTP/1.1\r\nProxy-Authorization: Basic {}\r\n\r\n",
            base64::encode(format!("gwe:{token}").as_bytes())
        )
    }

    #[test]
    fn strangers_get_nothing_and_do_not_keep_minreq_out() {
        let (relay, mut server) = relay();
        let address = ("127.0.0.1", relay.port);
        let silent = TcpStream::connect(address).unwrap();
        let mut talking = TcpStream::connect(address).unwrap();
        talking.write_all(&[b'x'; 2 * MAX_CONNECT]).unwrap();
        let mut guessing = TcpStream::connect(address).unwrap();
        guessing.write_all(connect_text("00").as_bytes()).unwrap();
        let mut minreq = TcpStream::connect(address).unwrap();
        minreq.write_all(connect_text(&relay.token).as_bytes()).unwrap();
        let mut answer = [0; 19];
        minreq.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n\r\n");
        assert!(!matches!(guessing.read(&mut [0; 10]), Ok(1..)), "a stranger got an answer");
        minreq.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut request = [0; 18];
        server.read_exact(&mut request).unwrap();
        server.write_all(b"HTTP/1.1 204 N\r\n\r\n").unwrap();
        minreq.read_exact(&mut [0; 18]).unwrap();
        drop((minreq, silent));
        let account = relay.finish();
        assert_eq!((account.rx, account.tx, account.end), (18, 18, RelayEnd::Client));
        assert_eq!(account.verdict, Verdict::Whole);
    }

    /// docs/spec/failures.md, F7: the server that is held back is taken for one that is silent.
    #[test]
    fn a_slow_pace_is_no_stall_and_a_server_that_falls_silent_in_it_is() {
        const LENGTH: usize = 4096;
        // Half a bucket, which is waited for, takes longer than any silence may.
        let stall = Duration::from_millis(100);
        let (relay, mut server) = relay_within(TimeLimits { stall, total: None, rate: Some(2048) });
        let mut minreq = TcpStream::connect(("127.0.0.1", relay.port)).unwrap();
        minreq.write_all(connect_text(&relay.token).as_bytes()).unwrap();
        minreq.read_exact(&mut [0; 19]).unwrap();
        minreq.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        server.read_exact(&mut [0; 18]).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2 * LENGTH);
        server.write_all(head.as_bytes()).unwrap();
        server.write_all(&[b'x'; LENGTH]).unwrap();
        let begun = Instant::now();
        minreq.read_exact(&mut vec![0; head.len() + LENGTH]).unwrap();
        assert!(begun.elapsed() > 10 * stall, "it was held back");
        // Nothing more comes.
        assert!(matches!(minreq.read(&mut [0; 10]), Ok(0) | Err(_)));
        let account = relay.finish();
        assert_eq!(account.rx, (head.len() + LENGTH) as u64);
        assert_eq!(account.end, RelayEnd::Expired(crate::http::watchdog::Expired::Stalled(stall)));
    }

    #[test]
    fn a_relay_that_minreq_never_reached_ends() {
        let (relay, _server) = relay();
        assert_eq!(relay.finish().end, RelayEnd::Loopback(io::ErrorKind::NotConnected));
    }

    #[test]
    fn too_many_strangers_end_the_request() {
        let (relay, _server) = relay();
        let address = ("127.0.0.1", relay.port);
        let mut strangers = Vec::new();
        for _ in 0..=MAX_STRANGERS {
            strangers.push(TcpStream::connect(address).unwrap());
        }
        let begun = Instant::now();
        while !relay.thread.is_finished() && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(relay.finish().end, RelayEnd::Loopback(io::ErrorKind::PermissionDenied));
    }
}
