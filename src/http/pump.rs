//! Copying bytes between minreq and the server, both ways in one thread, within the request's limits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::account::{RelayAccount, RelayEnd, RelayProgress};
use super::framing::{Follower, Verdict};
use super::link::Link;
use super::pace::Pace;
use super::watchdog::{Sight, TimeLimits, Watchdog};
use crate::sys::poll::{Ready, Watch};

/// From the server to minreq.
const DOWN: usize = 32 * 1024;
/// From minreq to the server.
const UP: usize = 16 * 1024;
/// How often it looks whether the client is done, where nothing else can happen any more.
const END_STEP: Duration = Duration::from_secs(1);

/// Bytes on their way.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new(size: usize) -> Buffer {
        Buffer { bytes: vec![0; size], start: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    /// The last that came.
    fn last_mut(&mut self, count: usize) -> &mut [u8] {
        self.bytes.get_mut(self.end.saturating_sub(count)..self.end).unwrap_or(&mut [])
    }

    /// Passes over the first that wait.
    fn skip(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }

    /// Adds what can be read now behind what is waiting, `most` bytes of it; `Ok(None)`: nothing now. 0 is the end.
    fn fill(&mut self, from: &mut impl Read, most: usize) -> io::Result<Option<usize>> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.bytes.len() {
            self.bytes.resize(self.end * 2, 0);
        }
        let end = self.bytes.len().min(self.end.saturating_add(most));
        let n = now_or_later(from.read(self.bytes.get_mut(self.end..end).unwrap_or(&mut [])))?;
        self.end += n.unwrap_or(0);
        Ok(n)
    }

    /// Writes what can be written now.
    fn drain(&mut self, to: &mut impl Write) -> io::Result<()> {
        while !self.is_empty() {
            match now_or_later(to.write(self.waiting()))? {
                Some(0) | None => break,
                Some(n) => self.start += n,
            }
        }
        Ok(())
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
    remote: Link,
    local: TcpStream,
    begun: Instant,
    watchdog: Watchdog,
    pace: Option<Pace>,
    watch: Watch,
    down: Buffer,
    up: Buffer,
    follower: Follower,
    /// minreq has said something: before, it would take the server's words for a part of the answer to CONNECT.
    has_spoken: bool,
    /// Why nothing more will come from the server.
    server_end: Option<RelayEnd>,
    /// The server takes nothing more; it may still answer.
    is_deaf: bool,
}

impl Pump {
    pub(crate) fn new(remote: Link, local: TcpStream, limits: TimeLimits) -> Pump {
        Pump {
            remote,
            local,
            begun: Instant::now(),
            watchdog: Watchdog::new(limits),
            pace: limits.rate.map(Pace::new),
            watch: Watch::default(),
            down: Buffer::new(DOWN),
            up: Buffer::new(UP),
            follower: Follower::new(),
            has_spoken: false,
            server_end: None,
            is_deaf: false,
        }
    }

    /// Copies until the request is over.
    pub(crate) fn run(mut self, progress: &RelayProgress) -> RelayAccount {
        let end = loop {
            if let Some(end) = self.step(progress).err() {
                break end;
            }
        };
        let (rx, tx) = self.counts();
        let server_closed = self.server_end.is_some() || self.look_behind();
        RelayAccount { rx, tx, end, server_closed, verdict: self.follower.verdict() }
    }

    fn counts(&self) -> (u64, u64) {
        let wire = self.remote.wire();
        (wire.rx, wire.tx)
    }

    /// Takes a look at what has come behind the end of the answer; whether that is the server's end of the connection.
    fn look_behind(&mut self) -> bool {
        let mut behind = [0; 512];
        for _ in 0..4 {
            match self.remote.read(&mut behind) {
                Ok(0) => return true,
                Ok(n) => self.follower.feed(behind.get_mut(..n).unwrap_or(&mut [])),
                Err(e) => return e.kind() == io::ErrorKind::UnexpectedEof,
            }
        }
        false
    }

    /// Waits for something to do, and does it.
    fn step(&mut self, progress: &RelayProgress) -> Result<(), RelayEnd> {
        let may_read = self.may_read();
        let time = self.look(progress, may_read.is_err())?;
        let has_room = self.server_end.is_none() && (self.down.is_empty() || self.follower.is_in_head());
        let pull = has_room && may_read.is_ok();
        let push = !self.down.is_empty() && self.has_spoken && !self.follower.is_in_head();
        let is_stuck = self.remote.wants_write();
        let is_open = self.server_end.is_none() && !self.is_deaf;
        let send = is_open && (is_stuck || (self.remote.is_ready() && !self.up.is_empty()));
        let has_more = pull && self.remote.has_more();
        self.watch.clear();
        let remote = watch_for(&mut self.watch, self.remote.wire(), pull, send);
        let local = watch_for(&mut self.watch, &self.local, self.up.is_empty(), push);
        // Nobody wakes for what may be read later where there is no room for it.
        let time = if has_more {
            Duration::ZERO
        } else {
            may_read.err().filter(|_| has_room).map_or(time, |later| later.min(time))
        };
        self.watch.wait(Some(time)).map_err(|e| RelayEnd::Loopback(e.kind()))?;
        let came = |place: Option<usize>| place.map_or(Ready::default(), |place| self.watch.ready(place));
        let (remote, local) = (came(remote), came(local));
        if remote.write {
            self.send();
        }
        if pull && (has_more || remote.read || (is_stuck && remote.write)) {
            self.pull(may_read.unwrap_or(0))?;
            self.push()?;
        } else if local.write {
            self.push()?;
        }
        if local.read && self.up.is_empty() {
            self.take()?;
            self.send();
        }
        Ok(())
    }

    /// How many bytes may be read now, or how long none may.
    fn may_read(&mut self) -> Result<usize, Duration> {
        let (now, come) = (self.begun.elapsed(), self.remote.wire().rx);
        self.pace.as_mut().map_or(Ok(usize::MAX), |pace| pace.look(now, come))
    }

    /// How long to wait at the most; the limits are looked after here. A server that is `held` back, so that it is not too fast, is no
    /// silent one.
    fn look(&mut self, progress: &RelayProgress, held: bool) -> Result<Duration, RelayEnd> {
        if progress.is_over.load(Relaxed) {
            return Err(self.client_end());
        }
        if self.server_end.is_some() {
            // What has come is minreq's; it closes when it has dealt with it.
            return Ok(END_STEP);
        }
        let consumed = progress.consumed.load(Relaxed);
        let is_passed_on = self.down.is_empty() || self.follower.is_in_head();
        let is_hungry = !progress.is_busy.load(Relaxed) && is_passed_on && !held;
        let (rx, tx) = self.counts();
        let sight = Sight { now: self.begun.elapsed(), wire: rx + tx, consumed, is_hungry };
        self.watchdog.look(sight).map_err(RelayEnd::Expired)
    }

    /// Reads from the server. A head is kept until it is whole, and only the answer's own is passed on.
    fn pull(&mut self, most: usize) -> Result<(), RelayEnd> {
        match self.down.fill(&mut self.remote, most) {
            Ok(None) => {}
            Ok(Some(0)) => self.server_end = Some(RelayEnd::Server),
            Ok(Some(n)) => {
                let early = self.follower.early();
                self.follower.feed(self.down.last_mut(n));
                self.down.skip(self.follower.early() - early);
                match self.follower.verdict() {
                    Verdict::Garbage => return Err(RelayEnd::Garbage),
                    Verdict::LongHead => return Err(RelayEnd::LongHead),
                    _ => {}
                }
            }
            Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(RelayEnd::Tls(e.to_string())),
            Err(e) => self.server_end = Some(RelayEnd::Broken(e.kind())),
        }
        Ok(())
    }

    /// Writes to minreq; passes the server's end on when all is written. Half a head is of no use to it.
    fn push(&mut self) -> Result<(), RelayEnd> {
        let is_in_head = self.follower.is_in_head();
        if self.has_spoken && !is_in_head {
            self.down.drain(&mut self.local).map_err(|_| self.client_end())?;
        }
        if self.server_end.is_some() && (self.down.is_empty() || is_in_head) {
            let _ = self.local.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// Reads from minreq.
    fn take(&mut self) -> Result<(), RelayEnd> {
        match self.up.fill(&mut self.local, usize::MAX) {
            Ok(Some(0)) | Err(_) => Err(self.client_end()),
            Ok(None) => Ok(()),
            Ok(Some(_)) => {
                self.has_spoken = true;
                Ok(())
            }
        }
    }

    /// Writes to the server. One that takes nothing more may have answered all the same.
    fn send(&mut self) {
        if !self.is_deaf {
            self.is_deaf = self.try_to_send().is_err();
        }
        if self.is_deaf || self.server_end.is_some() {
            (self.up.start, self.up.end) = (0, 0);
        }
    }

    fn try_to_send(&mut self) -> io::Result<()> {
        now_or_later(self.remote.flush().map(|()| 0))?;
        match self.remote.is_ready() {
            true => self.up.drain(&mut self.remote),
            false => Ok(()),
        }
    }

    /// minreq has closed: the normal end, unless the server had closed before.
    fn client_end(&self) -> RelayEnd {
        self.server_end.clone().unwrap_or(RelayEnd::Client)
    }
}

/// A socket that is wanted for nothing is left out: its hang-up would wake us again and again.
fn watch_for(watch: &mut Watch, socket: &impl AsFd, read: bool, write: bool) -> Option<usize> {
    (read || write).then(|| watch.add(socket, read, write))
}
