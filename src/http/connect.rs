//! One connection to one of several addresses, in bounded time: a black-holed IPv6 address must not starve IPv4
//! (minreq#52; docs/spec/failures.md, row 2).
//!
//! The addresses are tried with their families in turn, each next one a moment after the one before, and the first that
//! answers wins ("happy eyeballs", RFC 8305). [`Race`] decides and is plain data; [`connect`] does.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::sys::poll::Watch;
use crate::sys::socket;

/// The next address is tried when the one before has not answered for so long.
pub(crate) const STAGGER: Duration = Duration::from_millis(300);

/// What to do next in a race.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ConnectNext {
    /// Begin to connect to this address.
    Start(SocketAddr),
    /// Wait for one of those begun, so long at the most.
    Wait(Duration),
    /// All have failed, or the time is over.
    Lost,
}

/// Whose turn it is. Times are counted from the race's beginning.
#[derive(Debug)]
pub(crate) struct Race {
    waiting: VecDeque<SocketAddr>,
    running: usize,
    next_start: Duration,
    limit: Duration,
}

impl Race {
    pub(crate) fn new(addresses: &[SocketAddr], limit: Duration) -> Race {
        Race { waiting: interleave(addresses), running: 0, next_start: Duration::ZERO, limit }
    }

    /// What to do at `now`.
    pub(crate) fn next(&mut self, now: Duration) -> ConnectNext {
        if now >= self.limit {
            return ConnectNext::Lost;
        }
        if now >= self.next_start || self.running == 0 {
            if let Some(address) = self.waiting.pop_front() {
                self.running += 1;
                self.next_start = now + STAGGER;
                return ConnectNext::Start(address);
            }
        }
        let until = if self.waiting.is_empty() { self.limit } else { self.next_start.min(self.limit) };
        match self.running {
            0 => ConnectNext::Lost,
            _ => ConnectNext::Wait(until - now),
        }
    }

    /// One of those begun has failed: the next need not wait for its turn.
    pub(crate) fn failed(&mut self, now: Duration) {
        self.running = self.running.saturating_sub(1);
        self.next_start = now;
    }
}

/// The families in turn, beginning with that of the first address; the order within a family stays.
fn interleave(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<SocketAddr>, VecDeque<SocketAddr>) =
        addresses.iter().copied().partition(|address| address.is_ipv6() == first_is_v6);
    let mut out = VecDeque::with_capacity(addresses.len());
    while !(first.is_empty() && second.is_empty()) {
        out.extend(first.pop_front());
        out.extend(second.pop_front());
    }
    out
}

/// Connects to the address that answers first.
///
/// # Errors
/// What the last address said; `TimedOut` where none said anything within `limit`.
pub(crate) fn connect(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let begun = Instant::now();
    let mut race = Race::new(addresses, limit);
    let mut running: Vec<TcpStream> = Vec::new();
    let mut error = io::Error::from(io::ErrorKind::TimedOut);
    loop {
        match race.next(begun.elapsed()) {
            ConnectNext::Lost => return Err(error),
            ConnectNext::Start(address) => match socket::start_connect(&address) {
                Ok(stream) => running.push(stream),
                Err(e) => {
                    error = e;
                    race.failed(begun.elapsed());
                }
            },
            ConnectNext::Wait(time) => {
                for index in settled(&running, time)? {
                    let stream = running.swap_remove(index);
                    // `peer_addr` fails where the connect has not really succeeded.
                    match stream.take_error().and_then(|e| e.map_or(Ok(()), Err)).and_then(|()| stream.peer_addr()) {
                        Ok(_) => return Ok(stream),
                        Err(e) => {
                            error = e;
                            race.failed(begun.elapsed());
                        }
                    }
                }
            }
        }
    }
}

/// Waits; returns which have connected or failed, the last first, so that each can be swapped out.
fn settled(running: &[TcpStream], time: Duration) -> io::Result<Vec<usize>> {
    let mut watch = Watch::default();
    for stream in running {
        watch.add(stream, false, true);
    }
    watch.wait(Some(time))?;
    Ok((0..running.len()).rev().filter(|place| watch.ready(*place).write).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    const LIMIT: Duration = Duration::from_secs(10);

    /// Plays a race against addresses that each answer after some time: with success, with failure, or never.
    fn play(answers: &[(&str, Option<(u64, bool)>)]) -> Result<(SocketAddr, Duration), Duration> {
        let addresses: Vec<_> = answers.iter().map(|(a, _)| address(a)).collect();
        let mut race = Race::new(&addresses, LIMIT);
        let mut now = Duration::ZERO;
        let mut running: Vec<(Duration, SocketAddr, bool)> = Vec::new();
        for _ in 0..1000 {
            match race.next(now) {
                ConnectNext::Lost => return Err(now),
                ConnectNext::Start(started) => {
                    let (_, answer) = answers.iter().find(|(a, _)| address(a) == started).unwrap();
                    if let Some((after, good)) = answer {
                        running.push((now + Duration::from_millis(*after), started, *good));
                    }
                }
                ConnectNext::Wait(time) => {
                    running.sort();
                    match running.first().copied() {
                        Some((at, who, good)) if at <= now + time => {
                            now = now.max(at);
                            running.remove(0);
                            if good {
                                return Ok((who, now));
                            }
                            race.failed(now);
                        }
                        _ => now += time,
                    }
                }
            }
        }
        panic!("the race does not end");
    }

    #[test]
    fn a_black_holed_family_does_not_starve_the_other() {
        // minreq#52: the first address of a name gets the whole deadline.
        let (v6, v6b, v4, v4b) = ("[2001:db8::1]:80", "[2001:db8::2]:80", "192.0.2.1:80", "192.0.2.2:80");
        let ms = Duration::from_millis;
        for (answers, want) in [
            (vec![(v6, Some((20, true))), (v4, Some((5, true)))], Ok((v6, ms(20)))),
            (vec![(v6, None), (v4, Some((40, true)))], Ok((v4, ms(340)))),
            (vec![(v6, None), (v6b, None), (v4, Some((40, true)))], Ok((v4, ms(340)))),
            (vec![(v4, None), (v6, Some((40, true)))], Ok((v6, ms(340)))),
            (vec![(v6, Some((0, false))), (v4, Some((40, true)))], Ok((v4, ms(40)))),
            (vec![(v6, Some((500, true))), (v4, Some((400, true)))], Ok((v6, ms(500)))),
            (vec![(v6, Some((10, false))), (v4, Some((10, false)))], Err(ms(20))),
            (vec![(v6, None), (v4, None), (v6b, None), (v4b, Some((8000, true)))], Ok((v4b, ms(8900)))),
            (vec![(v6, None), (v4, None)], Err(LIMIT)),
            (vec![], Err(ms(0))),
        ] {
            assert_eq!(play(&answers), want.map(|(a, t)| (address(a), t)), "{answers:?}");
        }
    }

    #[test]
    fn connects_past_addresses_that_refuse() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let good = listener.local_addr().unwrap();
        let stream = connect(&[closed, good], LIMIT).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert_eq!(connect(&[closed], LIMIT).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect(&[], LIMIT).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
