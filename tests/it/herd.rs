//! A fleet through an outage (docs/spec/failures.md, row 6; fleetdm/fleet#53357, elastic-agent#13874): ten thousand agents, each by the
//! agent's own scheduling code, and the requests that the server sees, minute by minute.
//!
//! Time is simulated, chance comes from a seed: the figures are the same at every run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use gwe::engine::schedule;

const AGENTS: u64 = 10_000;
const INTERVAL: Duration = Duration::from_secs(14_400);
/// Requests are counted in windows this long: a steady rate of 0.7 a second makes some 200 in each.
const WINDOW_MS: u64 = 300_000;
const OUTAGE_MS: u64 = 30 * 60_000;

/// SplitMix64: small, and good enough to spread agents.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a wait of less than a geological age")
}

/// The most requests in a window, and the mean of all windows.
struct Load {
    peak: u64,
    mean: u64,
}

fn load(requests: &[u64], from: u64, until: u64) -> Load {
    load_in(WINDOW_MS, requests, from, until)
}

fn load_in(window_ms: u64, requests: &[u64], from: u64, until: u64) -> Load {
    let windows = usize::try_from((until - from) / window_ms).expect("few windows");
    let mut counts = vec![0_u64; windows];
    for request in requests.iter().filter(|at| (from..until).contains(at)) {
        let window = usize::try_from((request - from) / window_ms).expect("few windows");
        if let Some(count) = counts.get_mut(window) {
            *count += 1;
        }
    }
    let total: u64 = counts.iter().sum();
    Load { peak: counts.iter().copied().max().unwrap_or(0), mean: total / (windows as u64).max(1) }
}

/// Runs the fleet and returns when the server was asked. `first` gives each agent's first check-in; between `down` and `up` the
/// server answers nobody.
fn fleet(seed: u64, first: impl Fn(&mut Random) -> u64, down: u64, up: u64, end: u64) -> Vec<u64> {
    fleet_told(seed, first, |_| INTERVAL, down, up, end)
}

/// The same where the server tells at each answer how long it wants to be left alone.
fn fleet_told(
    seed: u64,
    first: impl Fn(&mut Random) -> u64,
    told: impl Fn(&mut Random) -> Duration,
    down: u64,
    up: u64,
    end: u64,
) -> Vec<u64> {
    let mut random = Random(seed);
    // When, who, failures in a row, and what was told last.
    let mut queue: BinaryHeap<Reverse<(u64, u64, u32, Duration)>> = BinaryHeap::new();
    for agent in 0..AGENTS {
        let first = first(&mut random);
        queue.push(Reverse((first, agent, 0, told(&mut random))));
    }
    let mut requests = Vec::new();
    while let Some(Reverse((at, agent, failures, last))) = queue.pop() {
        if at >= end {
            continue;
        }
        requests.push(at);
        let failed = (down..up).contains(&at);
        let failures = if failed { failures + 1 } else { 0 };
        let interval = if failed { last } else { told(&mut random) };
        let wait = if failed { schedule::after_failure(failures, interval, random.next()) } else { interval };
        queue.push(Reverse((at + ms(wait), agent, failures, interval)));
    }
    requests
}

#[test]
fn after_half_an_hour_of_outage_the_peak_is_at_most_twice_the_steady_load() {
    let (down, end) = (ms(INTERVAL) * 2, ms(INTERVAL) * 5);
    let up = down + OUTAGE_MS;
    for seed in 1..=5 {
        let requests = fleet(seed, |random| random.next() % ms(INTERVAL), down, up, end);
        let steady = load(&requests, ms(INTERVAL), down);
        let after = load(&requests, up, end);
        println!(
            "seed {seed}: steady {} (peak {}) requests in 5 minutes; after the outage the peak is {}: {:.2} times the steady load",
            steady.mean,
            steady.peak,
            after.peak,
            after.peak as f64 / steady.mean as f64
        );
        assert!(after.peak <= 2 * steady.mean, "seed {seed}: {} against {}", after.peak, steady.mean);
    }
}

/// Whatever the interval and however long the outage: a retry too many within an interval is what shows. hawkBit tells the interval at each
/// poll (`config.polling.sleep`), the same for all or, from 0.10.0 on, scattered by a tenth ("~10%"); of the Device API it is a setting.
#[test]
fn after_an_outage_of_any_length_the_peak_is_at_most_twice_the_steady_load() {
    let scattered = |pause: Duration, random: &mut Random| pause * (900 + (random.next() % 201) as u32) / 1000;
    for (sleep, scatter) in
        [("00:05:00", false), ("00:05:00", true), ("00:15:00", false), ("01:00:00", false), ("P1D", false)]
    {
        let pause = gwe::ddi::parse_sleep(sleep).expect("a pause that hawkBit tells");
        let told = |random: &mut Random| if scatter { scattered(pause, random) } else { pause };
        // A tenth of the pause is a window: a thousand requests where all is steady.
        let (window, steady) = (ms(pause) / 10, AGENTS / 10);
        let tenths = [1, 3, 5, 8, 10, 15].map(|tenths| ms(pause) / 10 * tenths);
        let mut worst = 0;
        for (outage, seed) in tenths.into_iter().chain([60_000, OUTAGE_MS]).zip(1..) {
            let down = 2 * ms(pause);
            let (up, end) = (down + outage, down + outage + ms(pause));
            let requests = fleet_told(seed, |random| random.next() % ms(pause), told, down, up, end);
            let after = load_in(window, &requests, up, end);
            assert!(after.peak <= 2 * steady, "{sleep}, {outage} ms: {} against {steady}", after.peak);
            worst = worst.max(after.peak);
        }
        let scatter = if scatter { "~10%" } else { "" };
        println!("{sleep}{scatter}: at the worst {:.2} times the steady load", worst as f64 / steady as f64);
    }
}

#[test]
fn a_district_whose_power_comes_back_at_most_doubles_the_load() {
    // One gateway in ten boots in the same second, while the others go on.
    let (boot, end) = (ms(INTERVAL) * 2, ms(INTERVAL) * 5);
    for seed in 1..=5 {
        let first = |random: &mut Random| match random.next() % 10 {
            0 => boot + ms(schedule::after_boot(INTERVAL, random.next())),
            _ => random.next() % ms(INTERVAL),
        };
        let requests = fleet(seed, first, 0, 0, end);
        // The usual load is that of all ten thousand, of whom one in ten had no power before.
        let usual = AGENTS * WINDOW_MS / ms(INTERVAL);
        let after = load(&requests, boot, end);
        let times = after.peak as f64 / usual as f64;
        println!("seed {seed}: a tenth boots at once: the peak is {}, {times:.2} times the usual {usual}", after.peak);
        assert!(after.peak <= 2 * usual, "seed {seed}: {} against {usual}", after.peak);
    }
}

/// The same with what hawkBit tells, of which a gateway keeps over a boot what is right but for a factor of two.
#[test]
fn a_district_whose_power_comes_back_at_most_doubles_hawkbit_s_load() {
    for (sleep, kept) in [("00:05:00", 300), ("01:00:00", 3600), ("01:00:00", 1801), ("P1D", 86_400), ("P1D", 43_201)] {
        let pause = gwe::ddi::parse_sleep(sleep).expect("a pause that hawkBit tells");
        let (window, usual) = (ms(pause) / 10, AGENTS / 10);
        let (boot, end) = (ms(pause) * 2, ms(pause) * 5);
        let first = |random: &mut Random| match random.next() % 10 {
            0 => boot + ms(schedule::after_boot(Duration::from_secs(kept), random.next())),
            _ => random.next() % ms(pause),
        };
        let requests = fleet_told(7, first, |_| pause, 0, 0, end);
        let peak = load_in(window, &requests, boot, end).peak;
        println!(
            "{sleep}, kept as {kept} s: a tenth boots at once: {:.2} times the usual load",
            peak as f64 / usual as f64
        );
        assert!(peak <= 2 * usual, "{sleep}, {kept}: {peak} against {usual}");
    }
}

#[test]
fn even_a_whole_fleet_that_boots_at_once_is_spread() {
    // Without the spread, all ten thousand would ask in the first minute. Twice the usual load it cannot be: that would take
    // two hours until the last has checked in.
    let spread = |random: &mut Random| ms(schedule::after_boot(INTERVAL, random.next()));
    let requests = fleet(7, spread, 0, 0, ms(INTERVAL));
    let busiest = (0..240).map(|minute| requests.iter().filter(|at| *at / 60_000 == minute).count()).max().unwrap_or(0);
    println!("10,000 agents boot at once: {busiest} requests in the busiest minute");
    assert!(busiest <= 240, "{busiest} in one minute");
}
