//! The server: one process, one loop, loopback only. It waits for connections, forwarding processes, signals and the time, and
//! takes each of them to the [`Service`].
//!
//! Everything that arrived in one turn of the loop shares one flush of the store, and is answered behind it. A turn never waits for
//! a client or for the network.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use super::forward::courier::Courier;
use super::forward::wire::CourierReport;
use super::http::connection::AppConnection;
use super::http::route::route;
use super::listen::{listen, ServerError};
use super::nap::{self, Awake, Nap};
use super::service::{CourierOrder, Moment, ReturnAddress, Service};
use super::stamp::{self, ClockReading};
use crate::config::Paths;
use crate::sys::lock::Lock;
use crate::sys::poll::Watch;
use crate::sys::program::ChildProcess;
use crate::sys::signal::{self, Signal};
use crate::sys::{clock, host, memory, random};

/// Connections at once. Beyond that, the one that has been silent for longest makes room.
const MAX_CONNECTIONS: usize = 32;
/// A connection that has been silent for so long gives way to a new one where there is no more room.
const SILENCE: Duration = Duration::from_secs(1);
/// Connections accepted in one turn, at the most.
const MAX_ACCEPTS: usize = 32;
/// After the system could not give another connection.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// After the last request, until memory is given back.
const TIDY_AFTER: Duration = Duration::from_secs(2);
/// From SIGTERM to the end: less than supervisord waits. An activation cut short may cost its CIK.
const STOP_LIMIT: Duration = Duration::from_secs(8);

/// Serves until SIGTERM. `port`: instead of the configured one; `programs`: what goes on after a nap, see [`Nap::new`].
///
/// # Errors
/// It could not begin.
pub fn run(paths: &Paths, port: Option<u16>, programs: [PathBuf; 2]) -> Result<(), ServerError> {
    signal::block();
    let awake = nap::awake(&super::lock_file(paths));
    if awake.as_ref().is_some_and(|awake| awake.is_stopped) {
        crate::info!("stopping");
        return Ok(());
    }
    let signals = signal::descriptor().map_err(|e| ServerError::System("wait for signals", e))?;
    let (lock, listeners, kept) = match awake {
        Some(Awake { lock: Some(lock), listeners, kept, .. }) => (Some(lock), listeners, Some(kept)),
        _ => (super::lock(paths).map_err(ServerError::File)?, Vec::new(), None),
    };
    let lock = lock.ok_or(ServerError::IsRunning)?;
    let listeners = match listeners {
        none if none.is_empty() => listen(paths, port)?,
        listeners => listeners,
    };
    let boot = stamp::tag(&host::boot_id().unwrap_or_default());
    let mut service = Service::new(paths.clone(), boot, moment(), random::bits);
    if let Some(kept) = kept {
        service.restore(kept);
    }
    let mut server = QueueServer {
        paths: paths.clone(),
        service,
        lock,
        listeners,
        listen_at: Duration::ZERO,
        connections: Vec::new(),
        next_connection: 0,
        couriers: Vec::new(),
        ending: Vec::new(),
        tidy_at: None,
        nap: Nap::new(programs, clock::since_boot()),
        stop_at: None,
    };
    server.serve(&signals).map_err(|e| ServerError::System("wait", e))?;
    server.service.shut_down();
    Ok(())
}

fn moment() -> Moment {
    let since_boot = clock::since_boot();
    let now = ClockReading {
        wall: clock::unix_milliseconds(),
        since_boot: u64::try_from(since_boot.as_millis()).unwrap_or(u64::MAX),
        is_synchronised: clock::is_synchronised(),
    };
    Moment { since_boot, now }
}

struct QueueServer {
    paths: Paths,
    service: Service,
    /// Held for as long as the server runs, naps included.
    lock: Lock,
    listeners: Vec<TcpListener>,
    /// Not before that is the next connection accepted.
    listen_at: Duration,
    connections: Vec<(u64, AppConnection)>,
    next_connection: u64,
    couriers: Vec<(u64, Courier)>,
    /// Forwarding processes that are still to be reaped.
    ending: Vec<ChildProcess>,
    /// When memory is given back, unless more requests come.
    tidy_at: Option<Duration>,
    /// `None`: it does not nap.
    nap: Option<Nap>,
    /// When the server ends at the latest, once it has been told to.
    stop_at: Option<Duration>,
}

/// The places of the descriptors in a wait.
struct Places {
    signals: usize,
    listeners: Option<usize>,
    /// One for each connection; `None`: nothing to wait for.
    connections: Vec<Option<usize>>,
    /// For each courier: its stdout, its stdin.
    couriers: Vec<(usize, Option<usize>)>,
}

impl QueueServer {
    fn serve(&mut self, signals: &File) -> io::Result<()> {
        let mut watch = Watch::default();
        let mut is_pending = false;
        loop {
            let places = self.watch(&mut watch, signals);
            let limit = if is_pending { Some(Duration::ZERO) } else { self.time_left() };
            watch.wait(limit)?;
            let moment = moment();
            if watch.ready(places.signals).read {
                self.take_signals(signals, moment);
            }
            self.hear_couriers(&watch, &places, moment);
            self.hear_clients(&watch, &places, moment);
            self.service.tick(moment);
            self.service.commit();
            self.carry_out(moment);
            is_pending = self.answer(moment);
            // Behind the answers: nobody waits for it.
            self.service.prepare(moment);
            self.tidy(moment);
            self.take_nap(is_pending, moment);
            if self.is_done(moment) {
                return Ok(());
            }
        }
    }

    fn watch(&self, watch: &mut Watch, signals: &File) -> Places {
        watch.clear();
        let signals = watch.add(signals, true, false);
        let may_accept = self.stop_at.is_none() && self.listen_at.is_zero() && self.has_room(clock::since_boot());
        let mut listeners = None;
        for listener in self.listeners.iter().filter(|_| may_accept) {
            listeners.get_or_insert(watch.add(listener, true, false));
        }
        let mut add = |connection: &AppConnection| {
            let (read, write) = (connection.wants_read() && self.stop_at.is_none(), connection.wants_write());
            // Nothing to wait for: a hang-up that nobody would take must not keep the loop spinning.
            (read || write).then(|| watch.add(connection, read, write))
        };
        let connections = self.connections.iter().map(|(_, connection)| add(connection)).collect();
        let mut couriers = Vec::with_capacity(self.couriers.len());
        for (_, courier) in &self.couriers {
            let stdout = watch.add(courier.stdout(), true, false);
            couriers.push((stdout, courier.stdin().map(|stdin| watch.add(stdin, false, true))));
        }
        Places { signals, listeners, connections, couriers }
    }

    fn has_room(&self, now: Duration) -> bool {
        self.connections.len() < MAX_CONNECTIONS || self.room_at().is_some_and(|at| at <= now)
    }

    /// When the longest silent connection may be closed for a new one: a client that has only just come is still speaking.
    fn room_at(&self) -> Option<Duration> {
        let silent = self.connections.iter().filter(|(_, c)| !c.is_owed());
        silent.map(|(_, c)| c.since().saturating_add(SILENCE)).min()
    }

    /// Until something is to be done.
    fn time_left(&self) -> Option<Duration> {
        let now = clock::since_boot();
        let connections = self.connections.iter().filter_map(|(_, c)| c.deadline()).min();
        let listening = (!self.listen_at.is_zero()).then_some(self.listen_at);
        let room = if self.connections.len() < MAX_CONNECTIONS { None } else { self.room_at().filter(|at| *at > now) };
        let nap = self.nap.as_ref().and_then(Nap::at);
        let all = [self.service.deadline(now), connections, listening, room, self.tidy_at, nap, self.stop_at];
        let first = all.into_iter().flatten().min()?;
        Some(first.saturating_sub(now))
    }

    fn take_signals(&mut self, signals: &File, moment: Moment) {
        while let Some(signal) = signal::read(signals) {
            match signal {
                Signal::Stop if self.stop_at.is_none() => {
                    crate::info!("stopping");
                    self.listeners.clear();
                    self.service.stop(moment);
                    self.stop_at = Some(moment.since_boot.saturating_add(STOP_LIMIT));
                }
                Signal::Stop => {}
                Signal::Hurry => self.service.reread(),
                Signal::Child => self.ending.retain_mut(|child| matches!(child.try_wait(), Ok(None))),
            }
        }
    }

    fn hear_couriers(&mut self, watch: &Watch, places: &Places, moment: Moment) {
        let mut over = Vec::new();
        for ((number, courier), (stdout, stdin)) in self.couriers.iter_mut().zip(&places.couriers) {
            if stdin.is_some_and(|place| watch.ready(place).write) {
                courier.give();
            }
            if watch.ready(*stdout).read {
                for report in courier.take() {
                    self.service.report(*number, report, moment);
                }
            }
            if courier.is_over() {
                over.push(*number);
            }
        }
        for number in over {
            self.end_courier(number);
            self.service.over(number, moment);
        }
    }

    fn end_courier(&mut self, number: u64) {
        if let Some(place) = self.couriers.iter().position(|(n, _)| *n == number) {
            let mut child = self.couriers.remove(place).1.end();
            if !matches!(child.try_wait(), Ok(Some(_))) {
                self.ending.push(child);
            }
        }
    }

    fn hear_clients(&mut self, watch: &Watch, places: &Places, moment: Moment) {
        for ((_, connection), place) in self.connections.iter_mut().zip(&places.connections) {
            if place.is_some_and(|place| watch.ready(place).read) {
                connection.read(moment.since_boot);
            }
        }
        if self.listen_at <= moment.since_boot {
            self.listen_at = Duration::ZERO;
        }
        let is_calling = |place: usize| (place..place + self.listeners.len()).any(|p| watch.ready(p).read);
        if places.listeners.is_some_and(is_calling) {
            self.accept(moment);
        }
        for (_, connection) in &mut self.connections {
            if connection.deadline().is_some_and(|at| at <= moment.since_boot) {
                connection.expire();
            }
        }
        self.take_requests(moment);
    }

    fn accept(&mut self, moment: Moment) {
        for listener in 0..self.listeners.len() {
            for _ in 0..MAX_ACCEPTS {
                let Some(accepted) =
                    self.listeners.get(listener).filter(|_| self.has_room(moment.since_boot)).map(TcpListener::accept)
                else {
                    break;
                };
                match accepted.and_then(|(stream, _)| AppConnection::new(stream, moment.since_boot)) {
                    Ok(connection) => self.take_in(connection, moment),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {}
                    Err(e) => {
                        crate::warning!("cannot accept a connection: {e}");
                        self.listen_at = moment.since_boot.saturating_add(ACCEPT_AGAIN);
                        return;
                    }
                }
            }
        }
    }

    fn take_in(&mut self, mut connection: AppConnection, moment: Moment) {
        if self.connections.len() >= MAX_CONNECTIONS {
            let silent = self.connections.iter().enumerate().filter(|(_, (_, c))| !c.is_owed());
            let Some((place, _)) = silent.min_by_key(|(_, (_, c))| c.since()) else { return };
            self.connections.remove(place).1.close();
        }
        // Most clients have sent their request by now: that saves a turn.
        connection.read(moment.since_boot);
        self.connections.push((self.next_connection, connection));
        self.next_connection += 1;
    }

    /// Takes the requests that are whole; whether there were any.
    fn take_requests(&mut self, moment: Moment) -> bool {
        let mut is_any = false;
        for (id, connection) in &mut self.connections {
            while let Some(request) = connection.next_request() {
                is_any = true;
                self.tidy_at = Some(moment.since_boot.saturating_add(TIDY_AFTER));
                self.nap.iter_mut().for_each(Nap::put_off);
                let token = ReturnAddress { connection: *id, place: request.place };
                match route(&request.head, &request.body) {
                    Ok(call) => self.service.request(token, call, &|| connection.user(), moment),
                    Err(answer) => connection.answer(request.place, answer),
                }
            }
        }
        is_any
    }

    fn carry_out(&mut self, moment: Moment) {
        for order in self.service.take_orders() {
            match order {
                CourierOrder::End(number) => self.end_courier(number),
                CourierOrder::Start(number, errand) => match Courier::start(&errand, self.paths.root()) {
                    Ok(courier) => self.couriers.push((number, courier)),
                    Err(e) => {
                        let why = format!("cannot start a forwarding process: {e}");
                        self.service.report(number, CourierReport::Link(why, None), moment);
                        self.service.over(number, moment);
                    }
                },
            }
        }
    }

    /// Sends the answers that are ready. Whether clients have sent more meanwhile that was read already.
    fn answer(&mut self, moment: Moment) -> bool {
        for (token, answer) in self.service.take_answers() {
            if let Some((_, connection)) = self.connections.iter_mut().find(|(id, _)| *id == token.connection) {
                connection.answer(token.place, answer);
            }
        }
        for (_, connection) in &mut self.connections {
            connection.write(moment.since_boot);
        }
        let mut place = 0;
        while place < self.connections.len() {
            if self.connections.get(place).is_some_and(|(_, c)| c.is_over()) {
                self.connections.remove(place).1.close();
            } else {
                place += 1;
            }
        }
        self.stop_at.is_none() && self.take_requests(moment)
    }

    fn tidy(&mut self, moment: Moment) {
        if self.tidy_at.is_some_and(|at| at <= moment.since_boot) {
            self.tidy_at = None;
            memory::give_back();
        }
    }

    /// Naps where nothing has been to do for long. Does not come back then: a client, or a signal, has the server start anew.
    fn take_nap(&mut self, is_pending: bool, moment: Moment) {
        let is_idle = !is_pending
            && self.stop_at.is_none()
            && self.listen_at.is_zero()
            && self.connections.is_empty()
            && self.couriers.is_empty()
            && self.ending.is_empty()
            && self.tidy_at.is_none()
            && self.service.is_idle(moment.since_boot);
        let Some(nap) = self.nap.as_mut().filter(|_| !self.listeners.is_empty()) else { return };
        if !nap.is_due(is_idle, moment.since_boot) {
            return;
        }
        if !self.service.is_settled() {
            nap.put_off();
            return;
        }
        if let Err(e) = nap.take(&self.lock, &self.listeners, self.service.kept()) {
            crate::debug!("cannot sleep as a smaller program: {e}");
            self.nap = None;
        }
    }

    /// Told to stop, and nothing is under way that would be lost.
    fn is_done(&self, moment: Moment) -> bool {
        let Some(stop_at) = self.stop_at else { return false };
        let is_owed = self.connections.iter().any(|(_, connection)| connection.is_owed());
        moment.since_boot >= stop_at || !(self.service.is_busy() || is_owed)
    }
}
