//! A long random life against a second opinion: what supervisord's documentation says of a process, told in another way.

use crate::hosting::table::{Action, Event, Life, Restart, Rules, State};

const STEPS: u32 = 200_000;

/// The same life as a list of facts, from which the state follows.
#[derive(Default)]
struct Told {
    /// When the process that is there was started.
    alive_since: Option<u64>,
    stop_sent: Option<u64>,
    kills: u32,
    restart_queued: bool,
    failures: u32,
    /// Why there is none: nothing yet or stopped, exited, given up, or waiting to be tried again since.
    rest: Rest,
    has_run: bool,
    last_start: u64,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Rest {
    #[default]
    Stopped,
    Exited {
        again_at: Option<u64>,
    },
    Fatal,
    Waits {
        until: u64,
    },
}

impl Told {
    fn state(&self) -> State {
        match (self.alive_since, self.stop_sent, self.has_run, self.rest) {
            (Some(_), Some(_), _, _) => State::Stopping,
            (Some(_), None, false, _) => State::Starting,
            (Some(_), None, true, _) => State::Running,
            (None, _, _, Rest::Stopped) => State::Stopped,
            (None, _, _, Rest::Exited { .. }) => State::Exited,
            (None, _, _, Rest::Fatal) => State::Fatal,
            (None, _, _, Rest::Waits { .. }) => State::Backoff,
        }
    }

    fn start(&mut self, now: u64) {
        (self.alive_since, self.last_start) = (Some(now), now);
        (self.stop_sent, self.has_run, self.restart_queued, self.kills) = (None, false, false, 0);
    }

    fn fail(&mut self, now: u64, rules: &Rules) {
        self.alive_since = None;
        self.failures += 1;
        let wait = if self.failures > rules.startretries { 0 } else { u64::from(self.failures) * 1000 };
        self.rest = Rest::Waits { until: now + wait };
    }

    fn end(&mut self, expected: bool, now: u64, rules: &Rules) {
        let Some(since) = self.alive_since else { return };
        if self.stop_sent.is_some() {
            (self.alive_since, self.stop_sent) = (None, None);
            self.rest = Rest::Stopped;
        } else if !self.has_run && now - since < u64::from(rules.startsecs) * 1000 {
            self.fail(now, rules);
        } else {
            let again = rules.autorestart == Restart::Always || (rules.autorestart == Restart::Unexpected && !expected);
            (self.alive_since, self.failures) = (None, 0);
            self.rest = Rest::Exited { again_at: again.then(|| now.max(self.last_start + 1000)) };
        }
    }

    /// Everything that is due by now; whether a process was started.
    fn pass(&mut self, now: u64, rules: &Rules) -> bool {
        match (self.state(), self.rest) {
            (State::Starting, _) => {
                let up = now - self.last_start;
                if rules.startsecs == 0 || up > u64::from(rules.startsecs) * 1000 {
                    (self.has_run, self.failures) = (true, 0);
                }
            }
            (State::Backoff, Rest::Waits { until }) if until <= now => {
                if self.failures > rules.startretries {
                    (self.rest, self.failures) = (Rest::Fatal, 0);
                } else {
                    self.start(now);
                    return true;
                }
            }
            (State::Exited, Rest::Exited { again_at: Some(at) }) if at <= now => {
                self.start(now);
                return true;
            }
            (State::Stopped, _) if self.restart_queued => {
                self.start(now);
                return true;
            }
            _ => {}
        }
        false
    }
}

/// A small generator that gives the same again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn two_hundred_thousand_random_steps_agree_with_the_model() {
    let mut random = Random(13);
    let (mut life, mut told, mut now) = (Life::default(), Told::default(), 1_000_000);
    let mut rules = rules(&mut random);
    let mut seen = std::collections::BTreeMap::new();
    for step in 0..STEPS {
        // A new program now and then; the clock goes on by anything from nothing to a quarter of an hour.
        if step % 500 == 0 {
            (life, told, rules) = (Life::default(), Told::default(), self::rules(&mut random));
        }
        now += [0, 1, 999, 1000, 3000, 900_000][random.below(6) as usize] * random.below(2);
        due(&mut life, &mut told, now, &rules);
        one(&mut random, &mut life, &mut told, now, &rules);
        assert_eq!(life.state, told.state(), "step {step}: {rules:?} {life:?}");
        assert_eq!(life.backoff, told.failures, "step {step}");
        *seen.entry(life.state as u32).or_insert(0) += 1;
    }
    assert!(seen.len() == 7 && seen.values().all(|count| *count > 1000), "every state is visited: {seen:?}");
}

fn rules(random: &mut Random) -> Rules {
    let autorestart = [Restart::Never, Restart::Always, Restart::Unexpected][random.below(3) as usize];
    let (startsecs, startretries) = (random.below(4) as u32, random.below(4) as u32);
    Rules { startsecs, startretries, stopwaitsecs: random.below(3) as u32, autorestart }
}

/// All that is due, as the core's loop does it.
fn due(life: &mut Life, told: &mut Told, now: u64, rules: &Rules) {
    for _ in 0..4 {
        let starts = told.pass(now, rules);
        let action = match life.due_ms.is_some_and(|due| due <= now) {
            true => life.step(Event::Due, now, rules),
            false => Action::Nothing,
        };
        assert_eq!(action == Action::Spawn, starts, "{life:?}");
        if action == Action::SendKill {
            told.kills += 1;
            assert!(life.due_ms.is_some_and(|due| due >= now + 1000), "kills are a second apart");
        }
    }
}

fn one(random: &mut Random, life: &mut Life, told: &mut Told, now: u64, rules: &Rules) {
    let before = told.state();
    match random.below(6) {
        0 | 1 => {
            let action = life.step(Event::Start, now, rules);
            match before {
                State::Stopped | State::Exited | State::Fatal => {
                    assert_eq!(action, Action::Spawn);
                    told.start(now);
                }
                State::Stopping => told.restart_queued = true,
                State::Starting | State::Running | State::Backoff => assert_eq!(action, Action::RefuseRunning),
            }
        }
        2 => {
            let action = life.step(Event::Stop, now, rules);
            told.restart_queued = false;
            match before {
                State::Starting | State::Running => {
                    assert_eq!(action, Action::SendStop);
                    told.stop_sent = Some(now);
                }
                State::Backoff => (told.rest, told.alive_since) = (Rest::Stopped, None),
                State::Exited => {
                    assert_eq!(action, Action::RefuseStopped);
                    told.rest = Rest::Exited { again_at: None };
                }
                _ => assert_eq!(action, Action::RefuseStopped),
            }
        }
        3 => {
            let expected = random.below(2) == 0;
            life.step(Event::Ended { expected }, now, rules);
            told.end(expected, now, rules);
        }
        4 if before == State::Starting => {
            life.step(Event::Failed, now, rules);
            told.fail(now, rules);
        }
        5 if random.below(50) == 0 => {
            life.step(Event::GiveUp, now, rules);
            told.restart_queued = false;
            match before {
                State::Backoff => (told.rest, told.failures) = (Rest::Fatal, 0),
                State::Exited => told.rest = Rest::Exited { again_at: None },
                _ => {}
            }
            told.failures = if before == State::Fatal { 0 } else { told.failures };
        }
        _ => {}
    }
}
