//! The connection under minreq: a loopback listener that poses as minreq's proxy, and a thread that copies bytes between
//! minreq and a connection that is ours.
//!
//! minreq's own connection has no stall or connect timeout, leaks a thread at its deadline, gives the first address of a
//! name the whole time, and panics at a bad proxy (spec: device-api.md, "What minreq 3.0.0 does"). So it is never used:
//! minreq is told that 127.0.0.1 is its proxy, and this module
//! - ends the request at its deadlines, by closing ([`Watchdog`]);
//! - counts the bytes on the wire;
//! - holds the answer back at [`MAX_HEAD`] until minreq has read the head, so no flood of headers gets into memory;
//! - follows the framing of a plain answer ([`Follower`]), and refuses TLS below 1.2 by its ServerHello, which minreq does not.
//!
//! Invariants: a stranger on the loopback gets nothing (a random token, once per request, stands in minreq's CONNECT); one
//! thread per request, which has ended when [`Relay::finish`] returns; two buffers, no allocation while copying. The socket
//! that minreq writes its CONNECT to stays open until that is read: minreq would panic at an error there.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::framing::{Follower, Verdict, MAX_HEAD};
use super::proxy::base64;
use super::watchdog::{Expired, Limits, Sight, Watchdog};
use crate::sys::random;
use crate::sys::socket::{self, Wait};

/// From the server to minreq.
const DOWN: usize = 32 * 1024;
/// From minreq to the server.
const UP: usize = 16 * 1024;
/// The thread's stack; the buffers are elsewhere.
const STACK: usize = 128 * 1024;
/// The user name in minreq's CONNECT; what counts is the password.
const USER: &str = "gwe";
/// The longest CONNECT that minreq writes.
const MAX_CONNECT: usize = 4 * 1024;
/// A stranger on the listener may keep us so long, and there may be so many.
const STRANGER_PATIENCE: Duration = Duration::from_millis(500);
const MAX_STRANGERS: usize = 16;
/// How often the thread looks whether minreq gave up before it connected.
const ACCEPT_STEP: Duration = Duration::from_millis(50);
/// How often it looks whether the client is done, where nothing else can happen any more.
const END_STEP: Duration = Duration::from_secs(1);
/// How often it looks whether minreq has read the head, and how long it waits for that.
const HEAD_STEP: Duration = Duration::from_millis(2);
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub limits: Limits,
    /// Whether TLS runs inside.
    pub https: bool,
    /// The answer may be so many bytes longer on the wire than nine eighths of what the client has dealt with.
    pub slack: u64,
}

/// Why copying ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// minreq closed its side: the normal one.
    Client,
    /// The server closed, and minreq was told.
    Server,
    /// The server's connection broke.
    Broken(io::ErrorKind),
    /// A limit was passed.
    Expired(Expired),
    /// A plain answer is no HTTP.
    Garbage,
    /// The head is longer than [`MAX_HEAD`].
    LongHead,
    /// Far more came than any content explains.
    Flood,
    /// The server speaks TLS 1.1 or older.
    OldTls,
    /// The loopback failed, or strangers kept minreq out.
    Loopback(io::ErrorKind),
}

/// What a connection cost and how it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// Bytes from the server, TLS included.
    pub rx: u64,
    /// Bytes to the server.
    pub tx: u64,
    pub end: End,
    /// Whether the server's end of the connection was seen.
    pub server_closed: bool,
    /// How whole a plain answer was; `None` with TLS.
    pub verdict: Option<Verdict>,
}

/// What the client tells the relay. 32 bits: there are gateways without 64-bit atomics.
#[derive(Debug, Default)]
struct Progress {
    /// minreq has read the head.
    head_is_read: AtomicBool,
    /// The client has no use for the connection any more.
    is_over: AtomicBool,
    /// The client is not waiting for bytes: it deals with some.
    is_busy: AtomicBool,
    /// KiB of the body that it has dealt with.
    consumed: AtomicU32,
}

/// A running relay, as its client sees it.
pub(crate) struct Relay {
    port: u16,
    token: String,
    progress: Arc<Progress>,
    thread: JoinHandle<Account>,
}

impl Relay {
    /// Starts to relay for `remote`, a connected non-blocking stream.
    pub(crate) fn start(remote: TcpStream, plan: Plan) -> io::Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        // Small writes (a request, a handshake) must not wait for each other's acknowledgement.
        remote.set_nodelay(true)?;
        let token: String = random::token()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let progress = Arc::new(Progress::default());
        let expected = base64([USER, ":", &token].concat().as_bytes());
        let thread = {
            let progress = progress.clone();
            thread::Builder::new()
                .name("relay".to_string())
                .stack_size(STACK)
                .spawn(move || run(&listener, &expected, remote, plan, &progress))?
        };
        Ok(Relay { port, token, progress, thread })
    }

    /// What minreq is to take for its proxy.
    pub(crate) fn proxy_url(&self) -> String {
        format!("http://{USER}:{}@127.0.0.1:{}", self.token, self.port)
    }

    /// Tells that minreq has read the head: the body may come.
    pub(crate) fn head_is_read(&self) {
        self.progress.head_is_read.store(true, Relaxed);
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
    pub(crate) fn finish(self) -> Account {
        self.progress.is_over.store(true, Relaxed);
        let lost = End::Loopback(io::ErrorKind::Other);
        // A panic of the thread would be a bug of ours; it must not become one of the caller's.
        self.thread.join().unwrap_or(Account { rx: 0, tx: 0, end: lost, server_closed: true, verdict: None })
    }
}

fn run(listener: &TcpListener, expected: &str, remote: TcpStream, plan: Plan, progress: &Progress) -> Account {
    let (rx, tx, verdict) = (0, 0, None);
    match accept(listener, expected, progress) {
        Ok(local) => Pump::new(remote, local, plan).run(progress),
        Err(kind) => Account { rx, tx, end: End::Loopback(kind), server_closed: false, verdict },
    }
}

/// Waits for minreq: for whoever knows the token.
fn accept(listener: &TcpListener, expected: &str, progress: &Progress) -> Result<TcpStream, io::ErrorKind> {
    let mut strangers = 0;
    while strangers < MAX_STRANGERS {
        if progress.is_over.load(Relaxed) {
            return Err(io::ErrorKind::NotConnected);
        }
        let mut waits = [Wait { socket: listener.as_fd(), read: true, write: false }];
        socket::wait(&mut waits, Some(ACCEPT_STEP)).map_err(|e| e.kind())?;
        match listener.accept() {
            Ok((stream, _)) => match greet(stream, expected) {
                Ok(stream) => return Ok(stream),
                Err(_) => strangers += 1,
            },
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) => return Err(e.kind()),
        }
    }
    Err(io::ErrorKind::PermissionDenied)
}

/// Reads a CONNECT and answers it; an error for a stranger. The answer is one short write, as minreq wants it.
fn greet(mut stream: TcpStream, expected: &str) -> io::Result<TcpStream> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let deadline = Instant::now() + STRANGER_PATIENCE;
    let mut request = Vec::with_capacity(512);
    let mut part = [0; 512];
    while !request.ends_with(b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || request.len() > MAX_CONNECT {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => request.extend_from_slice(part.get(..n).unwrap_or(&[])),
        }
    }
    let request = String::from_utf8_lossy(&request);
    let credentials = request.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: Basic "));
    if credentials != Some(expected) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Bytes on their way.
struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new(size: usize) -> Buffer {
        Buffer { bytes: vec![0; size].into_boxed_slice(), start: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    /// Adds what can be read now behind what is waiting; `Ok(None)`: nothing now. 0 is the end.
    fn fill(&mut self, from: &mut TcpStream) -> io::Result<Option<usize>> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        let n = now_or_later(from.read(self.bytes.get_mut(self.end..).unwrap_or(&mut [])))?;
        self.end += n.unwrap_or(0);
        Ok(n)
    }

    /// Writes what can be written now; returns how much that was.
    fn drain(&mut self, to: &mut TcpStream) -> io::Result<usize> {
        let before = self.start;
        while !self.is_empty() {
            match now_or_later(to.write(self.waiting()))? {
                Some(n) => self.start += n,
                None => break,
            }
        }
        Ok(self.start - before)
    }
}

fn now_or_later(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(n) => Ok(Some(n)),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The copying itself.
struct Pump {
    remote: TcpStream,
    local: TcpStream,
    plan: Plan,
    begun: Instant,
    watchdog: Watchdog,
    down: Buffer,
    up: Buffer,
    rx: u64,
    tx: u64,
    follower: Option<Follower>,
    /// TLS: the ServerHello has not been looked at yet.
    is_gated: bool,
    /// Since when the answer is held back.
    held_since: Option<Instant>,
    /// Why nothing more will come from the server.
    server_end: Option<End>,
    /// The server takes nothing more; it may still answer.
    is_deaf: bool,
}

impl Pump {
    fn new(remote: TcpStream, local: TcpStream, plan: Plan) -> Pump {
        Pump {
            remote,
            local,
            plan,
            begun: Instant::now(),
            watchdog: Watchdog::new(plan.limits),
            down: Buffer::new(DOWN),
            up: Buffer::new(UP),
            rx: 0,
            tx: 0,
            follower: (!plan.https).then(Follower::new),
            is_gated: plan.https,
            held_since: None,
            server_end: None,
            is_deaf: false,
        }
    }

    fn run(mut self, progress: &Progress) -> Account {
        let end = loop {
            if let Some(end) = self.step(progress).err() {
                break end;
            }
        };
        let server_closed = self.server_end.is_some();
        Account { rx: self.rx, tx: self.tx, end, server_closed, verdict: self.follower.map(|f| f.verdict()) }
    }

    /// Waits for something to do, and does it.
    fn step(&mut self, progress: &Progress) -> Result<(), End> {
        let time = self.look(progress)?;
        // Before minreq has spoken, what the server says would be taken for a part of the answer to CONNECT.
        let pull = (self.down.is_empty() || self.is_gated)
            && self.server_end.is_none()
            && self.held_since.is_none()
            && self.tx > 0;
        let mut waits = [
            Wait { socket: self.remote.as_fd(), read: pull, write: !self.up.is_empty() },
            Wait {
                socket: self.local.as_fd(),
                read: self.up.is_empty(),
                write: !self.down.is_empty() && !self.is_gated,
            },
        ];
        socket::wait(&mut waits, Some(time)).map_err(|e| End::Loopback(e.kind()))?;
        let [remote, local] = waits;
        let (pull, send, take, push) = (remote.read, remote.write, local.read, local.write);
        if pull {
            self.pull()?;
        }
        if pull || push {
            self.push()?;
        }
        if take {
            self.take()?;
        }
        if take || send {
            self.send();
        }
        Ok(())
    }

    /// How long to wait at the most; the limits are looked after here.
    fn look(&mut self, progress: &Progress) -> Result<Duration, End> {
        if progress.is_over.load(Relaxed) {
            return Err(self.client_end());
        }
        if self.server_end.is_some() {
            // What has come is minreq's; it closes when it has dealt with it.
            return Ok(END_STEP);
        }
        let consumed = progress.consumed.load(Relaxed);
        if self.rx > (u64::from(consumed) + u64::from(consumed / 8)) * 1024 + self.plan.slack {
            return Err(End::Flood);
        }
        let head_is_read = progress.head_is_read.load(Relaxed);
        let is_hungry = self.down.is_empty() && self.held_since.is_none() && !progress.is_busy.load(Relaxed);
        let sight = Sight { now: self.begun.elapsed(), wire: self.rx + self.tx, consumed, is_hungry };
        let time = self.watchdog.look(sight).map_err(End::Expired)?;
        if head_is_read || self.rx < MAX_HEAD as u64 {
            self.held_since = None;
            return Ok(time);
        }
        let since = *self.held_since.get_or_insert_with(Instant::now);
        if since.elapsed() > HEAD_PATIENCE {
            return Err(End::LongHead);
        }
        Ok(time.min(HEAD_STEP))
    }

    /// Reads from the server.
    fn pull(&mut self) -> Result<(), End> {
        match self.down.fill(&mut self.remote) {
            Ok(None) => return Ok(()),
            Ok(Some(0)) => self.server_end = Some(End::Server),
            Ok(Some(n)) => {
                self.rx += n as u64;
                if let Some(follower) = &mut self.follower {
                    follower.feed(self.down.waiting());
                    match follower.verdict() {
                        Verdict::Garbage => return Err(End::Garbage),
                        Verdict::LongHead => return Err(End::LongHead),
                        Verdict::Whole | Verdict::Unframed | Verdict::Cut => {}
                    }
                }
            }
            Err(e) => self.server_end = Some(End::Broken(e.kind())),
        }
        if self.is_gated {
            match judge_hello(self.down.waiting()) {
                Some(true) => self.is_gated = false,
                Some(false) => return Err(End::OldTls),
                None => self.is_gated = self.server_end.is_none(),
            }
        }
        Ok(())
    }

    /// Writes to minreq; passes the server's end on when all is written.
    fn push(&mut self) -> Result<(), End> {
        if self.is_gated {
            return Ok(());
        }
        self.down.drain(&mut self.local).map_err(|_| self.client_end())?;
        if self.server_end.is_some() && self.down.is_empty() {
            let _ = self.local.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// Reads from minreq.
    fn take(&mut self) -> Result<(), End> {
        match self.up.fill(&mut self.local) {
            Ok(Some(0)) | Err(_) => Err(self.client_end()),
            Ok(_) => Ok(()),
        }
    }

    /// Writes to the server. One that takes nothing more may have answered all the same.
    fn send(&mut self) {
        if !self.is_deaf {
            match self.up.drain(&mut self.remote) {
                Ok(n) => self.tx += n as u64,
                Err(_) => self.is_deaf = true,
            }
        }
        if self.is_deaf || self.server_end.is_some() {
            (self.up.start, self.up.end) = (0, 0);
        }
    }

    /// minreq has closed: the normal end, unless the server had closed before.
    fn client_end(&self) -> End {
        self.server_end.unwrap_or(End::Client)
    }
}

/// Whether the server's first bytes are a ServerHello of TLS 1.2 or newer (which all call themselves 0x0303); an alert and
/// whatever is no handshake is left to the TLS library. `None`: more bytes are needed.
///
/// This is only a lower bound on what the library accepts: a forged ServerHello fails its handshake.
fn judge_hello(bytes: &[u8]) -> Option<bool> {
    const HANDSHAKE: u8 = 22;
    const SERVER_HELLO: u8 = 2;
    match bytes {
        [] => None,
        // Record: type, version (2), length (2); message: type, length (3), version (2).
        [HANDSHAKE, _, _, _, _, SERVER_HELLO, _, _, _, high, low, ..] => Some((*high, *low) >= (3, 3)),
        [HANDSHAKE, _, _, high, low, rest @ ..] => {
            // A first record too short for the version is nothing that a real server sends.
            let length = usize::from(*high) << 8 | usize::from(*low);
            let is_short = length < 6 || rest.first().is_some_and(|kind| *kind != SERVER_HELLO);
            is_short.then_some(false)
        }
        [HANDSHAKE, ..] => None,
        _ => Some(true),
    }
}
