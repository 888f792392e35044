//! Who deploys apps: orders one after the other, waits for the word on each, and orders again what the link spoilt.

use super::plan::Order;
use gwe_tests::harness::{agent_of, Site, Tarball, SN};
use std::collections::VecDeque;

/// Versions of the agent that are not the built one.
const AGENTS: [&str; 2] = ["0.1.8", "0.1.9"];
/// What the hosted app writes to its log five times a second.
const NOISE: usize = 16 * 1024;
/// An order whose link fails again and again in fair weather is no chance any more.
const TRIES: u32 = 20;

/// The last word on an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Installed,
    Failed,
    RolledBack,
}

impl Word {
    const ALL: [(Word, &'static str); 3] =
        [(Word::Installed, "installed"), (Word::Failed, "failed"), (Word::RolledBack, "rolled back")];
}

/// An order under way.
#[derive(Debug)]
struct Pending {
    app: &'static str,
    version: String,
    expected: Word,
    /// Whether the platform failed in some way since it was given.
    had_foul_weather: bool,
    tries: u32,
}

impl Pending {
    fn name(&self) -> String {
        format!("{} v{}", self.app, self.version)
    }
}

/// Whether a `fetch_status` has this word on an order, such as `meter v2`.
fn says(status: &str, word: Word, name: &str) -> bool {
    let (_, text) = Word::ALL[word as usize];
    let line = format!("[gwe] {text} {name}");
    status.lines().any(|l| l.strip_prefix(&line).is_some_and(|rest| rest.starts_with([' ', ':'])))
}

/// How a day's orders ended.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub installed: u32,
    pub failed: u32,
    pub rolled_back: u32,
    /// Failed for the link alone, and ordered again.
    pub again: u32,
}

/// The operator.
#[derive(Debug, Default)]
pub struct Operator {
    waiting: VecDeque<Order>,
    pending: Option<Pending>,
    /// What was ordered last: app, version and word. Each is checked against all that was ever reported.
    concluded: Vec<(String, Word)>,
    ordered: u32,
    /// App and version, as they have to be in the end.
    installed: Vec<(&'static str, String)>,
    pub tally: Tally,
}

impl Operator {
    /// Puts an order behind the others.
    pub fn wants(&mut self, order: Order) {
        self.waiting.push_back(order);
    }

    /// Whether every order has its last word.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.pending.is_none()
    }

    /// What is under way, for messages.
    pub fn waits_for(&self) -> String {
        format!("{:?}, then {:?}", self.pending, self.waiting)
    }

    /// Reads what the gateway reported, and gives the next order.
    pub fn looks(&mut self, site: &Site, is_calm: bool) {
        if let Some(pending) = &mut self.pending {
            pending.had_foul_weather |= !is_calm;
            let status = site.murano.read(SN, "fetch_status").unwrap_or_default();
            let name = pending.name();
            if let Some((word, _)) = Word::ALL.into_iter().find(|(word, _)| says(&status, *word, &name)) {
                self.concludes(site, word, &status);
            }
        }
        // The agent's own update is big, and the slow ways to fail would take minutes over it.
        if self.pending.is_none() && (is_calm || self.waiting.front() != Some(&Order::Agent)) {
            if let Some(order) = self.waiting.pop_front() {
                let mut pending = self.order(site, order);
                pending.had_foul_weather = !is_calm;
                self.pending = Some(pending);
            }
        }
    }

    fn concludes(&mut self, site: &Site, word: Word, status: &str) {
        let Some(mut pending) = self.pending.take() else { return };
        let name = format!("{}.v{}.tar.gz", pending.app, pending.version);
        let is_spoilt = word == Word::Failed && pending.expected != word && pending.had_foul_weather;
        if is_spoilt && pending.tries < TRIES {
            self.tally.again += 1;
            pending.tries += 1;
            // So that the word on it is not taken for the word on the next try.
            site.murano.write(SN, "fetch_status", "");
            site.order(&[&name]);
            self.pending = Some(pending);
            return;
        }
        assert_eq!(word, pending.expected, "{name}: {status}");
        self.concluded.push((pending.name(), word));
        match word {
            Word::Installed => {
                self.tally.installed += 1;
                self.installed.retain(|(app, _)| *app != pending.app);
                self.installed.push((pending.app, pending.version));
            }
            Word::Failed => self.tally.failed += 1,
            Word::RolledBack => self.tally.rolled_back += 1,
        }
    }

    fn order(&mut self, site: &Site, order: Order) -> Pending {
        self.ordered += 1;
        let number = self.ordered.to_string();
        let meter = |script: &str| meter(&number, script);
        let (app, expected, bytes) = match order {
            // Bounded, whatever the test leaves behind.
            Order::Meter => {
                let noise = "n=0\nwhile [ $n -lt 9000 ]; do cat noise; sleep 0.2; n=$((n + 1)); done";
                ("meter", Word::Installed, meter(noise))
            }
            Order::Crashing => ("meter", Word::RolledBack, meter("exit 7")),
            Order::Tuning => {
                let script = format!("mkdir -p $GWE_ROOT/etc/tuning && echo {number} > $GWE_ROOT/etc/tuning/value");
                ("tuning", Word::Installed, Tarball::app(&script).bytes())
            }
            Order::Failing => ("fragile", Word::Failed, Tarball::app(&format!("echo {number}; exit 3")).bytes()),
            Order::Damaged => ("damaged", Word::Failed, format!("no tarball, {number}").into_bytes()),
            Order::Agent => {
                let is_first = self.installed.iter().all(|(app, version)| *app != "gwe" || version != AGENTS[0]);
                let version = AGENTS[usize::from(!is_first)];
                let agent = Tarball::app("./gwe --version").file("gwe", 0o755, agent_of(version));
                return self.give(site, "gwe", version.to_string(), Word::Installed, &agent.bytes());
            }
        };
        self.give(site, app, number, expected, &bytes)
    }

    fn give(&self, site: &Site, app: &'static str, version: String, expected: Word, bytes: &[u8]) -> Pending {
        let name = format!("{app}.v{version}.tar.gz");
        site.murano.upload(&name, bytes);
        site.order(&[&name]);
        Pending { app, version, expected, had_foul_weather: false, tries: 0 }
    }

    /// Every order has its word among all that was ever reported, and no other; what is installed is what was ordered last.
    #[track_caller]
    pub fn checks(&self, site: &Site) {
        let history = site.murano.history(SN, "fetch_status");
        for (name, word) in &self.concluded {
            let said = |word: Word| history.iter().any(|status| says(status, word, name));
            assert!(said(*word), "the report on {name} is lost");
            assert!(*word == Word::Installed || !said(Word::Installed), "{name} was installed, and then was not");
        }
        for (app, version) in &self.installed {
            let reported = site.reported(app);
            assert_eq!(reported["version"], version.as_str(), "{app}: {reported}");
            // The last report may be of an engine that was just restarted.
            let is_up = reported["status"] == "RUNNING" || reported["status"] == "STARTING";
            assert_eq!(is_up, *app != "tuning", "{app}: {reported}");
        }
        let tuning = self.installed.iter().find(|(app, _)| *app == "tuning").map(|(_, version)| version.as_str());
        assert_eq!(Some(site.gateway.root().read("etc/tuning/value").trim()), tuning);
    }
}

/// A version of the hosted app.
fn meter(version: &str, script: &str) -> Vec<u8> {
    Tarball::app("true")
        .file("run.sh", 0o755, format!("#!/bin/sh\necho meter {version}\n{script}\n"))
        .file("noise", 0o644, "a line of a log that nobody reads again\n".repeat(NOISE / 40))
        .file("supervisor.conf", 0o644, "[supervisord]\ncommand = ./run.sh\nstartsecs = 1\nstartretries = 0\n")
        .bytes()
}

#[test]
fn a_word_is_on_one_version_alone() {
    let status = "well\n[gwe] installed meter v24 in 2.1 s\n[gwe] failed fragile v3: install.sh exited with 3\n";
    assert!(says(status, Word::Installed, "meter v24") && says(status, Word::Failed, "fragile v3"));
    assert!(!says(status, Word::Installed, "meter v2") && !says(status, Word::RolledBack, "meter v24"));
}
