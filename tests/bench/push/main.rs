//! `make bench-push`: a gateway that listens between check-ins four hours apart: from an order's writing to the write that clears it and to
//! the beginning of its `install.sh`, what the one who listens has in memory, and what a poll weighs on the wire; over plain HTTP and over TLS.

use gwe_tests::harness::{child_pids, is_asleep, number_of, wait_until, Background, Chance, Murano, Site, Tarball, SN};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const ORDERS: usize = 50;
const PATIENCE: Duration = Duration::from_secs(120);
/// An emptied alias ends a held poll: so many of them are weighed. More would be backed off for minutes.
const POLLS: usize = 3;

fn main() {
    let orders = std::env::args().nth(1).map_or(ORDERS, |count| count.parse().expect("a number of orders"));
    println!("over TLS   taken: median   worst   begun: median   worst   memory while waiting (PSS, of its own)   bytes a poll");
    for tls in [false, true] {
        let row = measure(tls, orders);
        println!("{}", row.unwrap_or_else(|why| format!("{:8}   {why}", if tls { "yes" } else { "no" })));
    }
}

fn measure(tls: bool, orders: usize) -> Result<String, String> {
    let mut site = Site::of(if tls { Murano::with_tls() } else { Murano::start() });
    site.set("engine", "update_interval", "14400");
    site.set("engine", "push", "yes");
    site.set("engine", "log_level", "INFO");
    if tls {
        let (server, ca) = (site.murano.tls_url(), site.murano.ca_certificate());
        site.set("engine", "server", &server);
        site.set("engine", "cacert", &ca.display().to_string());
    }
    if site.check_in().code != Some(0) {
        return Err("not measured: this agent does not reach the server (built without TLS?)".to_string());
    }
    let mut engine = site.start_engine();
    // After a boot the first check-in is spread over an interval, and who has not checked in does not listen.
    wait_until("the engine to sleep", PATIENCE, || is_asleep(engine.pid()));
    engine.signal(libc::SIGHUP);
    await_listening(&site, &engine);
    let (pss, own) = memory(listener(&engine).expect("it listens"));
    let bytes = weigh(&site);
    let mut times = Vec::new();
    let mut chance = Chance::new(7);
    for index in 0..orders {
        // At any moment from the first of a listening on, which begins with short requests.
        wait_until("the engine to sleep", PATIENCE, || is_asleep(engine.pid()) && listener(&engine).is_some());
        thread::sleep(Duration::from_millis(chance.below(4000) as u64));
        times.push(order(&site, index));
    }
    let yes_no = if tls { "yes" } else { "no" };
    let [taken, begun] = [|times: &Times| times.taken, |times: &Times| times.begun].map(|of| spread(&times, of));
    Ok(format!("{yes_no:8} {taken} {begun}   {pss:>13} kB, {own} kB {bytes:>29}"))
}

/// What an order took from its writing on.
struct Times {
    /// To the write that tells that it is kept.
    taken: Duration,
    /// To its `install.sh`, which runs once the order is kept and cleared.
    begun: Duration,
}

/// Median and worst, as the table has them.
fn spread(times: &[Times], of: fn(&Times) -> Duration) -> String {
    let mut times: Vec<u128> = times.iter().map(|times| of(times).as_millis()).collect();
    times.sort_unstable();
    format!("{:>12} ms {:>4} ms", times[times.len() / 2], times[times.len() - 1])
}

/// The engine's child that listens.
fn listener(engine: &Background) -> Option<u32> {
    child_pids(engine.pid()).first().copied()
}

/// The engine sleeps, and what its child has done last is to wait.
fn await_listening(site: &Site, engine: &Background) {
    wait_until("the engine to sleep", PATIENCE, || is_asleep(engine.pid()) && listener(engine).is_some());
    let mut before = None;
    wait_until("the poll to be held", PATIENCE, || {
        thread::sleep(Duration::from_millis(1300));
        let now = listener(engine).and_then(|pid| number_of(pid, "status", "voluntary_ctxt_switches:"));
        std::mem::replace(&mut before, now) == now && now.is_some() && site.murano.read(SN, "engine_fetch").is_none()
    });
}

fn memory(pid: u32) -> (u64, u64) {
    let kb = |key| number_of(pid, "smaps_rollup", key).unwrap_or(0);
    (kb("Pss:"), kb("Private_Dirty:"))
}

/// Bytes of a poll in both directions, TLS records included: without the packets' own heads.
fn weigh(site: &Site) -> u64 {
    let wire = &site.murano.server().platform().journal.wire;
    let (bytes, polls) = (wire.received.load(Relaxed) + wire.sent.load(Relaxed), site.murano.count(Endpoint::Poll));
    for _ in 0..POLLS {
        let polls = site.murano.count(Endpoint::Poll);
        site.murano.write(SN, "engine_fetch", "");
        wait_until("the poll to come back", PATIENCE, || site.murano.count(Endpoint::Poll) > polls);
        thread::sleep(Duration::from_millis(300));
    }
    let after = wire.received.load(Relaxed) + wire.sent.load(Relaxed);
    (after - bytes) / (site.murano.count(Endpoint::Poll) - polls).max(1)
}

/// Writes an order, and waits until it is installed.
fn order(site: &Site, index: usize) -> Times {
    let mark = site.gateway.root().path("begun");
    let name = format!("timed.v{index}.tar.gz");
    site.upload(&name, &Tarball::app(&format!("date +%s%N >{}", mark.display())));
    let check_ins = site.murano.count(Endpoint::Hybrid);
    let written = SystemTime::now();
    site.order(&[&name]);
    let end = Instant::now() + PATIENCE;
    while site.murano.count(Endpoint::Hybrid) == check_ins && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    let taken = written.elapsed().unwrap_or_default();
    site.await_status(&format!("[gwe] installed timed v{index} in N s"));
    let begun: u64 = fs::read_to_string(&mark).expect("install.sh left its time").trim().parse().expect("nanoseconds");
    let begun = (UNIX_EPOCH + Duration::from_nanos(begun)).duration_since(written).unwrap_or_default();
    Times { taken, begun }
}
