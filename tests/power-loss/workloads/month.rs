//! The account of a month's bytes (docs/spec/failures.md, F7), while a download brings most of what it has. Acknowledged is what the gateway itself
//! knew to have sent and received when the power was cut: its volatile account, in `/run`, is read again and again meanwhile.
//!
//! On the disk as the power cut left it, before anything runs: the account is whole, has lost at most a 20th of the limit, and has made nothing up.
//! Then the gateway boots, starts from what is there, and goes on with the download: what comes counts on top, once.

use super::look::{read, Step};
use super::otau::{check_in_until, server_data};
use crate::gateway::{lay_out, Agent, Boot, Server, Told};
use crate::trouble::{Doing, Outcome};
use crate::witness::{last_number, Witness};
use crate::workload::{Checker, CrashState, Finding, Workload};
use gwe::config::Paths;
use gwe::http::usage::{self, UsageRow};
use gwe_tests::harness::{noise, Scratch, Tarball};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// As it is set, and in bytes: one that is torn by the cut and comes anew fits, too.
const SET: &str = "4M";
const LIMIT: u64 = 4_000_000;
/// What a power cut may cost.
const TOLERANCE: u64 = LIMIT / 20;
const APP: &str = "metered_app.v1.tar.gz";
const SIZE: usize = 1_400_000;
const END: &str = "[gwe] installed metered_app v1 in ";
/// How a fact about the account begins.
const WORD: &str = "used ";
const POLL: Duration = Duration::from_millis(1);

/// The workload.
pub struct MonthAccount;

fn most_used(notes: &Path) -> PathBuf {
    notes.join("most-used")
}

/// What the account on flash says; 0 where there is none yet.
fn kept(root: &Path) -> Step<u64> {
    let path = Paths::new(root).month_account();
    if !path.exists() {
        return Ok(0);
    }
    let bytes = read(&path)?;
    let used = serde_json::from_slice::<Value>(&bytes).ok().and_then(|account| account["used"].as_u64());
    used.ok_or_else(|| Finding::Third(format!("the account: {:?}", String::from_utf8_lossy(&bytes))))
}

/// What the programs have sent and received since the boot.
fn since_boot(root: &Path) -> u64 {
    usage::read(&Paths::new(root).usage_log()).unwrap_or_default().iter().map(UsageRow::total).sum()
}

impl Workload for MonthAccount {
    fn name(&self) -> &'static str {
        "month-account"
    }

    fn checks_at_a_time(&self) -> u64 {
        12
    }

    fn prepare(&self, root: &Path, notes: &Path) -> Outcome<()> {
        lay_out(root)?;
        let server = Server::on(&server_data(notes));
        server.upload(APP, &Tarball::app("true").file("noise", 0o644, noise(SIZE)).bytes())?;
        let agent = Agent::on(root)?;
        let _boot = Boot::up(root, &server.source(), None)?;
        agent.sure(&["--set-monthly-bytes", SET])?;
        agent.sure(&["--once"])?;
        server.ask_for(APP)
    }

    fn work(&self, root: &Path, notes: &Path, witness: &Witness) -> Outcome<()> {
        let server = Server::on_copy(&server_data(notes), &notes.join("server-at-work"))?.watched_by(witness)?;
        let _boot = Boot::up(root, &server.source(), None)?;
        let before = kept(root).map_err(|finding| finding.text())?;
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut last = 0;
                while !is_over.load(SeqCst) {
                    let used = before + since_boot(root);
                    if used != last {
                        witness.note(format!("{WORD}{used}"));
                    }
                    last = used;
                    thread::sleep(POLL);
                }
            });
            let told = until_told(root, &server);
            is_over.store(true, SeqCst);
            told
        })?
        .map_err(|finding| finding.text())?;
        let path = most_used(notes);
        fs::write(&path, (before + since_boot(root)).to_string()).doing("write", &path)
    }

    fn checker(&self, notes: &Path) -> Outcome<Box<dyn Checker>> {
        let scratch = Scratch::new();
        let before = Server::on_copy(&server_data(notes), &scratch.path("server"))?.told();
        let path = most_used(notes);
        let most = fs::read_to_string(&path).doing("read", &path)?.parse().map_err(|error| format!("{error}"))?;
        Ok(Box::new(MonthChecker { notes: notes.to_path_buf(), before, most, scratch }))
    }
}

/// Checks in until the platform has been told.
fn until_told(root: &Path, server: &Server) -> Outcome<Step<()>> {
    let agent = Agent::on(root)?;
    let check_in = || {
        let ran = agent.gwe(&["--once"]);
        Ok((ran.code, ran.stderr))
    };
    check_in_until(server, check_in, |told| !told.reports.is_empty())
}

struct MonthChecker {
    notes: PathBuf,
    /// What the server knew before the work.
    before: Told,
    /// What was used in all of the work.
    most: u64,
    scratch: Scratch,
}

impl MonthChecker {
    fn look(&self, state: &CrashState) -> Step<u64> {
        let (kept, used) = (kept(state.root)?, last_number(state.past, WORD).unwrap_or(0));
        if kept + TOLERANCE < used {
            return Err(Finding::Lost(format!("{used} bytes were used, and {kept} of them are in the account")));
        }
        if kept > self.most {
            return Err(Finding::Third(format!("{kept} bytes in the account, and never more than {} used", self.most)));
        }
        Ok(kept)
    }

    fn boot_and_go_on(&self, state: &CrashState, kept_before: u64, told: &Told) -> Outcome<Step<()>> {
        let server = Server::on_copy(&server_data(&self.notes), &self.scratch.path("server"))?;
        server.is_at(told);
        let _boot = Boot::up(state.root, &server.source(), None)?;
        let agent = Agent::on(state.root)?;
        let used = || -> Outcome<u64> {
            let status: Value = serde_json::from_str(&agent.sure(&["--status", "--json"])?.stdout)
                .map_err(|error| error.to_string())?;
            status["month"]["used"].as_u64().ok_or_else(|| format!("no month: {status}"))
        };
        let at_boot = used()?;
        if at_boot != kept_before {
            return Ok(Err(Finding::Third(format!("{kept_before} bytes are kept, and it begins with {at_boot}"))));
        }
        if let Err(finding) = until_told(state.root, &server)? {
            return Ok(Err(finding));
        }
        let (now, came) = (used()?, since_boot(state.root));
        if now != kept_before + came {
            return Ok(Err(Finding::Third(format!("{kept_before} bytes and {came} more are {now}"))));
        }
        let reports = server.told().reports;
        let is_good = reports.iter().all(|report| report.contains(END));
        Ok(if is_good { Ok(()) } else { Err(Finding::Third(format!("reported: {}", reports.join("\n")))) })
    }
}

impl Checker for MonthChecker {
    fn check(&mut self, state: &CrashState) -> Outcome<Finding> {
        let told = Told::at(state.past).unwrap_or_else(|| self.before.clone());
        match self.look(state) {
            Ok(kept) => Ok(self.boot_and_go_on(state, kept, &told)?.err().unwrap_or(Finding::Sound)),
            Err(finding) => Ok(finding),
        }
    }
}
