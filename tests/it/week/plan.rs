//! What happens on which day, and in which of its check-ins: the same for the same seed.

use gwe_tests::harness::{Chance, FAULTS};

/// What the platform is like at a check-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It answers.
    Calm,
    /// It refuses every connection.
    Down,
    /// It fails in this way.
    Foul(&'static str),
}

/// What the operator orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The next version of the hosted app.
    Meter,
    /// The next version of an app that only installs.
    Tuning,
    /// One whose installer fails.
    Failing,
    /// A version of the hosted app that does not stay up.
    Crashing,
    /// Bytes that are no tarball.
    Damaged,
    /// The agent's other version.
    Agent,
}

/// What befalls the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The operator orders something.
    Order(Order),
    /// SIGKILL to the engine, as the kernel does when memory is short.
    KillEngine,
    /// The same to the queue.
    KillQueue,
    /// Somebody restarts the engine with supervisorctl.
    RestartEngine,
    /// Everything ends at once, and the volatile folder is empty afterwards.
    PowerCut,
}

/// One check-in and what comes before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The platform's.
    pub weather: Weather,
    /// In this order.
    pub events: Vec<Event>,
}

/// What befalls a gateway seldom comes once in so many days; in between, what runs has to run on. Day 1 has all that leaves
/// something behind for good (the agent's own update, a boot), so that the days after it can be compared with it.
const RARE: u32 = 5;
/// Outages a day, of either kind.
const OUTAGES: usize = 2;
/// Each app is ordered once in so many check-ins, and once a day at least.
const ROUND: usize = 72;

/// The plan of a day of so many check-ins, at least 24.
pub fn day(number: u32, steps: usize, chance: &mut Chance) -> Vec<Step> {
    let mut day = vec![Step { weather: Weather::Calm, events: Vec::new() }; steps];
    for outage in 0..OUTAGES {
        // One in each part of the day, several check-ins long; the night is calm.
        let part = steps / (OUTAGES + 1);
        let length = part / 4 + chance.below(part / 4);
        let begin = outage * part + part / 4 + chance.below(part / 2);
        for step in &mut day[begin..begin + length] {
            step.weather =
                if outage % 2 == 0 { Weather::Down } else { Weather::Foul(FAULTS[chance.below(FAULTS.len())]) };
        }
    }
    let mut put = |event: Event, from: usize, to: usize| day[from + chance.below(to - from)].events.push(event);
    // What is hosted first is there to be rolled back to.
    put(Event::Order(Order::Meter), 0, 1);
    let rounds = (steps / ROUND).max(1);
    for round in 0..rounds {
        let (from, to) = (round * steps / rounds, (round + 1) * steps / rounds);
        for order in [Order::Meter, Order::Tuning, Order::Failing, Order::Crashing, Order::Damaged] {
            put(Event::Order(order), from, to);
        }
    }
    put(Event::KillEngine, 0, steps);
    put(Event::RestartEngine, 0, steps);
    match number % RARE {
        1 => {
            // What supervisord comes to hold after its start is to be in the first midnight's look.
            put(Event::PowerCut, 0, steps / 2);
            put(Event::Order(Order::Agent), 0, steps / 2);
        }
        2 => put(Event::KillQueue, 0, steps),
        _ => {}
    }
    day
}

/// What comes only on some days, for people.
pub fn rare(number: u32) -> &'static str {
    match number % RARE {
        1 => ", the agent updated; a power cut",
        2 => "; gmq killed",
        _ => "",
    }
}
