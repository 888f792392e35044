//! A week of a gateway's life in a few minutes: check-ins, deploys good and bad, the agent's own update, outages, an app that records,
//! logs that are rotated, kills, restarts, power cuts. At each midnight what is resident and what is on the disk is looked at: after
//! the first day nothing may be more. In the end nothing that was acknowledged may be missing.
//!
//! The gateway is an image as `make install` makes it, under supervisord with the configuration that it ships. `make week` is a whole
//! week of a check-in every ten minutes, against four hours in the field: what grows by check-ins or by records shows in a week what
//! it would be after half a year. Two short days are part of `make test-long`.

mod machine;
mod operator;
mod plan;
mod recorder;
mod sample;

use gwe_tests::harness::{agent_binary, children_of, is_asleep, wait_until, Chance};
use gwe_tests::murano::client::Client;
use machine::Machine;
use operator::Operator;
use plan::{Event, Step, Weather};
use recorder::Recorder;
use sample::Sample;
use serde_json::Value;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// A check-in every ten minutes.
const DENSE: usize = 144;
/// One every hour, in the short form.
const THIN: usize = 24;
const SHORT_DAYS: u32 = 2;
/// A record every minute.
const RECORDS: usize = 1440;
/// Check-ins after which all orders of a day have their word.
const MAX_EVENING: usize = 60;
/// What a link that was down for long, and a busy machine, may need.
const PATIENCE: Duration = Duration::from_secs(300);
/// gmq gives memory back when it has had nothing to do for two seconds.
const REST: Duration = Duration::from_secs(3);

/// A gateway, and who has to do with it.
struct Life {
    machine: Machine,
    operator: Operator,
    recorder: Recorder,
    check_ins: u32,
}

impl Life {
    /// One check-in of a day of so many, and what comes before it.
    fn step(&mut self, step: &Step, steps: usize) {
        let murano = &self.machine.site.murano;
        match step.weather {
            Weather::Calm => murano.clear_faults(),
            Weather::Down => murano.faults(&["any:refuse"]),
            Weather::Foul(fault) => murano.faults(&[fault]),
        }
        self.recorder.records((RECORDS / steps) as u64);
        for event in &step.events {
            match event {
                Event::Order(order) => self.operator.wants(*order),
                Event::KillEngine => self.machine.kill("gwe"),
                Event::KillQueue => self.machine.kill("gmq"),
                Event::RestartEngine => self.machine.restart("gwe"),
                Event::PowerCut => self.machine.cut_power(),
            }
        }
        self.operator.looks(&self.machine.site, step.weather == Weather::Calm);
        self.check_in(&format!("{:?}", step.weather));
    }

    fn check_in(&mut self, what: &str) {
        self.machine.check_in(what);
        self.check_ins += 1;
    }

    /// What is pending comes to its end, and everything to rest.
    fn evening(&mut self) {
        self.machine.site.murano.clear_faults();
        for _ in 0..MAX_EVENING {
            self.operator.looks(&self.machine.site, true);
            if self.operator.is_done() {
                break;
            }
            self.check_in("the evening");
        }
        assert!(self.operator.is_done(), "{}\n{}", self.operator.waits_for(), self.machine.log_tail());
        // One more, in which nothing is left to do.
        self.check_in("the evening");
        self.recorder.catches_up();
        wait_until("the queue to be empty", PATIENCE, || self.queue_status()["queued"] == 0);
        wait_until("everything to rest", PATIENCE, || {
            is_asleep(self.machine.pid("gwe")) && children_of(self.machine.pid("gmq")).is_empty()
        });
        thread::sleep(REST);
    }

    /// What the queue says of itself.
    fn queue_status(&self) -> Value {
        let port = self.machine.site.gateway.root().read("run/gwe/gmq.port");
        let status = Client::new(&format!("http://127.0.0.1:{}", port.trim())).and_then(|client| client.get("/status"));
        serde_json::from_str(&status.expect("gmq answers").text()).expect("the status is JSON")
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

#[test]
#[ignore = "make test-long"]
fn after_the_first_day_nothing_grows_and_nothing_is_lost() {
    let (days, seed) = (setting("WEEK_DAYS"), setting("WEEK_SEED").unwrap_or(2026));
    let steps = if days.is_some() { DENSE } else { THIN };
    let days = days.map_or(SHORT_DAYS, |days| days as u32);
    let Some(machine) = Machine::boot() else { return };
    let recorder = Recorder::start(machine.site.gateway.root().path("run/gwe/gmq.port"));
    let mut life = Life { machine, operator: Operator::default(), recorder, check_ins: 0 };
    let mut chance = Chance::new(seed);
    let (mut first, mut grown) = (None, Vec::new());
    println!("seed {seed}\n{}", Sample::head());
    for day in 1..=days {
        let begun = Instant::now();
        let plan = plan::day(day, steps, &mut chance);
        let (before, checked_in) = (life.operator.tally.clone(), life.check_ins);
        plan.iter().for_each(|step| life.step(step, steps));
        life.evening();
        let now = &life.operator.tally;
        let what = format!(
            "{} check-ins, {} in outages; installed {}, failed {}, rolled back {}{}; {:.0} s",
            life.check_ins - checked_in,
            plan.iter().filter(|step| step.weather != Weather::Calm).count(),
            now.installed - before.installed,
            now.failed - before.failed,
            now.rolled_back - before.rolled_back,
            plan::rare(day),
            begun.elapsed().as_secs_f64()
        );
        let sample = Sample::of(&mut life.machine);
        println!("{}", sample.row(day, &what));
        let first = first.get_or_insert_with(|| sample.clone());
        let agent = fs::metadata(agent_binary()).expect("the agent is there").len();
        grown.extend(sample.grew(first, agent).into_iter().map(|what| format!("day {day}: {what}")));
    }
    let arrived = life.recorder.checks(&life.machine.site.murano);
    println!(
        "{} check-ins; {} values, {} of them twice; {} tries of the app without an answer; {} orders spoilt by the link, given again",
        life.check_ins, arrived.values, arrived.twice, life.recorder.unanswered(), life.operator.tally.again
    );
    life.operator.checks(&life.machine.site);
    let status = life.queue_status();
    for count in ["set_aside", "set_aside_lost", "dropped", "damaged"] {
        assert_eq!(status[count], 0, "{status}");
    }
    assert!(life.machine.site.gateway.root().has("var/log/meter.log.1"), "the hosted app's log was rotated");
    assert!(grown.is_empty(), "{}", grown.join("\n"));
}
