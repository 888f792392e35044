//! Copying bytes between minreq and the server, both ways in one thread, under the limits that [`relay`](super::relay) names.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::framing::{Follower, Verdict, MAX_HEAD};
use super::relay::{Account, End, Plan, Progress};
use super::watchdog::{Sight, Watchdog};
use crate::sys::poll::{Ready, Watch};

/// From the server to minreq.
const DOWN: usize = 32 * 1024;
/// From minreq to the server.
const UP: usize = 16 * 1024;
/// How often it looks whether the client is done, where nothing else can happen any more.
const END_STEP: Duration = Duration::from_secs(1);
/// How much of the answer may be on its way to the client, in the buffers of sockets and in minreq: what floods minreq with
/// headers or trailers, which it keeps, floods it with no more than this.
const AHEAD: u64 = 1024 * 1024;
/// How often the thread looks whether a client that is so far behind has caught up, and how long it waits for that.
const HOLD_STEP: Duration = Duration::from_millis(4);
const HOLD_PATIENCE: Duration = Duration::from_secs(10);

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

    fn waiting_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or(&mut [])
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
                Some(0) | None => break,
                Some(n) => self.start += n,
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
pub(crate) struct Pump {
    remote: TcpStream,
    local: TcpStream,
    begun: Instant,
    watchdog: Watchdog,
    watch: Watch,
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
    pub(crate) fn new(remote: TcpStream, local: TcpStream, plan: Plan) -> Pump {
        Pump {
            remote,
            local,
            begun: Instant::now(),
            watchdog: Watchdog::new(plan.limits),
            watch: Watch::default(),
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

    /// Copies until the request is over.
    pub(crate) fn run(mut self, progress: &Progress) -> Account {
        let end = loop {
            if let Some(end) = self.step(progress).err() {
                break end;
            }
        };
        let server_closed = self.server_end.is_some() || self.look_behind();
        Account { rx: self.rx, tx: self.tx, end, server_closed, verdict: self.follower.map(|f| f.verdict()) }
    }

    /// Takes a look at what has come behind the end of the answer; whether that is the server's end of the connection.
    fn look_behind(&mut self) -> bool {
        let mut behind = [0; 512];
        for _ in 0..4 {
            match self.remote.read(&mut behind) {
                Ok(0) => return true,
                Ok(n) => self.follow(behind.get_mut(..n).unwrap_or(&mut [])),
                Err(_) => return false,
            }
        }
        false
    }

    fn follow(&mut self, bytes: &mut [u8]) {
        if let Some(follower) = &mut self.follower {
            follower.feed(bytes);
        }
    }

    /// Waits for something to do, and does it.
    fn step(&mut self, progress: &Progress) -> Result<(), End> {
        let time = self.look(progress)?;
        // Before minreq has spoken, what the server says would be taken for a part of the answer to CONNECT.
        let is_open = self.server_end.is_none() && self.held_since.is_none() && self.tx > 0;
        let pull = is_open && (self.down.is_empty() || self.is_gated);
        let push = !self.down.is_empty() && !self.is_gated;
        self.watch.clear();
        let remote = watch_for(&mut self.watch, &self.remote, pull, !self.up.is_empty());
        let local = watch_for(&mut self.watch, &self.local, self.up.is_empty(), push);
        self.watch.wait(Some(time)).map_err(|e| End::Loopback(e.kind()))?;
        let came = |place: Option<usize>| place.map_or(Ready::default(), |place| self.watch.ready(place));
        let (remote, local) = (came(remote), came(local));
        if remote.read && pull {
            self.pull()?;
        }
        if remote.read || local.write {
            self.push()?;
        }
        if local.read && self.up.is_empty() {
            self.take()?;
        }
        if local.read || remote.write {
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
        let is_waiting = !progress.is_busy.load(Relaxed);
        let is_hungry = is_waiting && self.down.is_empty() && self.held_since.is_none();
        let sight = Sight { now: self.begun.elapsed(), wire: self.rx + self.tx, consumed, is_hungry };
        let time = self.watchdog.look(sight).map_err(End::Expired)?;
        let Some(why) = self.is_ahead(progress, consumed) else {
            self.held_since = None;
            return Ok(time);
        };
        match self.held_since {
            // A client that deals with bytes will ask for more; one that waits for others than these will not.
            Some(since) if is_waiting && since.elapsed() > HOLD_PATIENCE => Err(why),
            Some(_) if is_waiting => Ok(time.min(HOLD_STEP)),
            _ => {
                self.held_since = Some(Instant::now());
                Ok(time.min(HOLD_STEP))
            }
        }
    }

    /// Whether so much of the answer is on its way to the client that no more is read for now; and what it is if the client
    /// never gets through it.
    fn is_ahead(&self, progress: &Progress, consumed: u32) -> Option<End> {
        // Of a plain answer the follower knows where the head ends, and bounds it.
        if self.follower.is_none() && !progress.head_is_read.load(Relaxed) && self.rx >= MAX_HEAD as u64 {
            return Some(End::LongHead);
        }
        // Nine eighths: TLS and chunks need their share.
        let explained = (u64::from(consumed) + u64::from(consumed / 8)) * 1024;
        (self.rx > explained + AHEAD).then_some(End::Flood)
    }

    /// Reads from the server.
    fn pull(&mut self) -> Result<(), End> {
        match self.down.fill(&mut self.remote) {
            Ok(None) => return Ok(()),
            Ok(Some(0)) => self.server_end = Some(End::Server),
            Ok(Some(n)) => {
                self.rx += n as u64;
                if let Some(follower) = &mut self.follower {
                    follower.feed(self.down.waiting_mut());
                    match follower.verdict() {
                        Verdict::Garbage => return Err(End::Garbage),
                        Verdict::LongHead => return Err(End::LongHead),
                        _ => {}
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

/// A socket that is wanted for nothing is left out: its hang-up would wake us again and again.
fn watch_for(watch: &mut Watch, socket: &TcpStream, read: bool, write: bool) -> Option<usize> {
    (read || write).then(|| watch.add(socket, read, write))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_tls_is_told_by_its_server_hello() {
        let hello = |version: [u8; 2]| [&[22, 3, 3, 0, 80, 2, 0, 0, 76][..], &version, &[0; 30]].concat();
        for (bytes, want) in [
            (hello([3, 3]), Some(true)),
            (hello([3, 2]), Some(false)),
            (hello([3, 1]), Some(false)),
            (hello([3, 0]), Some(false)),
            (hello([3, 3])[..10].to_vec(), None),
            (hello([3, 1])[..5].to_vec(), None),
            (vec![], None),
            (vec![22], None),
            // An alert, and what is no TLS at all, are the library's affair.
            (vec![21, 3, 1, 0, 2, 2, 40], Some(true)),
            (b"HTTP/1.1 400 Bad Request".to_vec(), Some(true)),
            // The version cut off into a second record, or another message in its place.
            (vec![22, 3, 1, 0, 1, 2], Some(false)),
            (vec![22, 3, 1, 0, 80, 11, 0, 0, 76, 3, 3], Some(false)),
        ] {
            assert_eq!(judge_hello(&bytes), want, "{bytes:?}");
        }
    }
}
