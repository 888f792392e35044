//! The engine: a timer whose every check-in is a child process, the same as `gwe --once` (docs/decisions.md, "The engine is a timer").
//!
//! Invariants: what stays resident opens no connection, starts no thread, and writes nothing to flash on a quiet day;
//! intervals run on the monotonic clock; no failure of a check-in ends the loop.

pub mod boots;
pub mod check_in;
pub mod child;
pub mod desk;
pub mod error;
pub mod facts;
mod falls;
pub mod follow;
pub mod former;
pub mod last;
pub mod last_known_time;
pub mod listen;
pub mod pause;
pub mod renew;
pub mod schedule;
pub mod source;
pub mod surroundings;
mod tails;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Config, Paths};
use crate::http::month::Budget;
pub use crate::install::agent::own_executable;
use crate::install::agent::{self, Agents, CheckIn, Version};
use crate::install::{journal, waiting};
use crate::sys::file;
use crate::sys::signal::{self, Signal};
use crate::sys::{log, random};
use child::ChildEnded;
use pause::CarriedOver;

/// Exit status where the gateway is not configured (docs/spec/gateway-engine.md, "Command line").
pub const NOT_CONFIGURED: u8 = 255;
/// A version on trial that hangs is ended sooner than one that is known to work.
const TRIAL_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Between a check-in that installed a new agent and that agent's first, or one that a download let come between and the next: no
/// reason to wait.
const TRIAL_DELAY: Duration = Duration::from_secs(1);

/// Runs check-ins for ever; returns an exit status once it is told to stop, or where the gateway is not configured.
#[must_use]
pub fn run(mut config: Config) -> u8 {
    signal::block();
    let paths = &config.paths().clone();
    let last_time = paths.state().join(last_known_time::FILE_NAME);
    log::set_level(config.log_level());
    let woken = pause::woken();
    if woken.is_none() {
        config.problems().iter().for_each(|problem| crate::error!("{problem}"));
    }
    match source::identity(&config) {
        // No failure of a check-in ends the loop: one that was configured at its start goes on.
        _ if woken.is_some() => {}
        Ok(identity) => {
            crate::info!("gwe v{} for {} at {}", crate::config::VERSION, identity.serial, source::server(&config));
            // A serial number that was given and does not fit is not replaced by another: see `Config::obstacle`.
            if config.obstacle().is_some() {
                crate::error!("nothing is sent before that is put right");
            } else if let Err(e) = identity.pin(&mut config) {
                crate::warning!("{e}; the serial number is read from the interface again at the next start");
            }
        }
        Err(missing) => {
            crate::log_at!(log::Level::Critical, "{missing}");
            return NOT_CONFIGURED;
        }
    }
    if config.keep_clock() && woken.is_none() {
        last_known_time::set_forward(&last_time);
    }
    if woken.is_none() {
        boots::began(paths);
    }
    let mut engine = Engine { paths, config, kept: CarriedOver::default(), unsaved: None };
    let mut signal = match woken {
        Some((kept, signal)) => {
            engine.kept = kept;
            // Who listened in the pause is still this process's child.
            if signal == Some(Signal::Stop) {
                signal
            } else {
                listen::end().or(signal)
            }
        }
        None => engine.pause(engine.first_delay()),
    };
    while signal != Some(Signal::Stop) {
        match engine.check_in() {
            Some(delay) => signal = engine.pause(delay),
            None => break,
        }
    }
    boots::ended(paths);
    Budget::of(&engine.config).iter().for_each(Budget::keep);
    // Only a time that the server has seen is worth keeping.
    if engine.kept.completed && engine.config.keep_clock() {
        if let Err(e) = last_known_time::keep(&last_time, last_known_time::Occasion::Shutdown) {
            crate::warning!("{e}");
        }
    }
    0
}

struct Engine<'a> {
    paths: &'a Paths,
    /// As it was after the last check-in or pause.
    config: Config,
    kept: CarriedOver,
    /// What is known of the agent's versions where the disk did not take it: before and after.
    unsaved: Option<(Agents, Agents)>,
}

impl Engine<'_> {
    /// Spread after boot; at once after a restart on a running gateway, where an install was cut off, and where nobody has
    /// activated it yet.
    fn first_delay(&self) -> Duration {
        let marker = self.paths.run().join("started");
        let restarted = marker.exists();
        if let Err(e) = file::write(&marker, b"") {
            crate::debug!("{e}");
        }
        if restarted || waiting::is_due_at_start(&self.config) || source::is_unknown(&self.config) {
            return Duration::ZERO;
        }
        self.in_time(schedule::after_boot(self.config.check_in_interval(), random::bits()))
    }

    /// The wait for the next check-in. What the disk did not take is in this process alone, which then has to stay.
    fn pause(&mut self, delay: Duration) -> Option<Signal> {
        let kept = self.unsaved.is_none().then_some(self.kept);
        // After a failure the schedule alone counts: whoever cannot check in cannot be called either.
        let listens = self.config.push()
            && source::can_be_listened_to(&self.config)
            && self.kept.completed
            && self.kept.failures == 0
            && delay >= pause::LONG;
        if listens {
            listen::start(&self.config);
        }
        let mut signal = pause::pause(delay, kept, self.paths);
        if listens && signal != Some(Signal::Stop) {
            signal = listen::end().or(signal);
        }
        // What was set meanwhile counts.
        self.config = Config::load(self.paths.clone());
        signal
    }

    /// One check-in by the version whose turn it is, and the wait until the next; `None`: told to stop.
    fn check_in(&mut self) -> Option<Duration> {
        let (agents, is_its_turn) = self.begin();
        let version = if is_its_turn { agents.for_check_in() } else { agents.resident() };
        let program = self.program(version);
        let ended = child::run(&program, self.paths, limit(&agents, &self.config));
        if ended == ChildEnded::Stopped {
            self.stopped();
            return None;
        }
        // The check-in may have changed both: read them as they are now.
        let now = self.agents();
        // An install in this very check-in put another version on trial: what ended is no word on that one.
        let agents = if is_its_turn && now.current == agents.current { self.judge(now, ended) } else { now };
        self.config = Config::load(self.paths.clone());
        log::set_level(self.config.log_level());
        if ended == ChildEnded::Completed {
            self.kept.failures = 0;
            self.kept.completed = true;
            self.become_resident(&agents);
        } else {
            self.kept.failures = self.kept.failures.saturating_add(1);
        }
        Some(self.next_delay(&agents, ended))
    }

    fn next_delay(&self, agents: &Agents, ended: ChildEnded) -> Duration {
        let config = &self.config;
        self.in_time(match ended {
            ChildEnded::Completed if agents.trial || waiting::is_paced(config) => TRIAL_DELAY,
            ChildEnded::Completed => config.check_in_interval(),
            _ if source::is_unknown(config) => config.activation_retry_interval(),
            _ => schedule::after_failure(self.kept.failures, config.check_in_interval(), random::bits()),
        })
    }

    /// Not later than what waits for a moment needs.
    fn in_time(&self, delay: Duration) -> Duration {
        waiting::next_look(&self.config, random::bits()).map_or(delay, |look| look.min(delay))
    }

    /// Counts that a trial's check-in begins; `false`: what is not counted is not tried.
    fn begin(&mut self) -> (Agents, bool) {
        let agents = self.agents();
        let Some(begun) = agents.before_check_in() else { return (agents, true) };
        if let Err(e) = begun.save(self.paths) {
            crate::error!("{e}; the trial of another version of the agent has to wait for that");
            return (agents, false);
        }
        tell_dropped(&agents, &begun);
        (begun, true)
    }

    /// Takes back that a trial's check-in was begun: it was stopped with the engine.
    fn stopped(&mut self) {
        if let Some(Err(e)) = self.agents().stopped().map(|agents| agents.save(self.paths)) {
            crate::warning!("{e}; a check-in that was stopped counts as cut off");
        }
    }

    /// The executable for the next check-in: the version over the air, or the one that this process is.
    fn program(&self, version: Option<&Version>) -> PathBuf {
        let over_the_air = version.map(|version| agent::executable(self.paths, version));
        over_the_air.filter(|path| path.is_file()).unwrap_or_else(|| factory_executable(self.paths))
    }

    /// What is known of the agent's versions. A full disk must not keep one that crashes in charge for ever.
    fn agents(&mut self) -> Agents {
        let saved = Agents::load(self.paths);
        match self.unsaved.take() {
            Some((before, after)) if before == saved => {
                if after.save(self.paths).is_err() {
                    self.unsaved = Some((before, after.clone()));
                }
                after
            }
            _ => saved,
        }
    }

    /// Notes how the version did, and drops it where it failed its trial.
    fn judge(&mut self, agents: Agents, ended: ChildEnded) -> Agents {
        let check_in = match ended {
            ChildEnded::Completed => CheckIn::Completed,
            ChildEnded::Failed | ChildEnded::Stopped => CheckIn::Failed,
            // What an app's install did is not the agent's (docs/spec/failures.md, A11): the install counts it by itself.
            ChildEnded::Crashed if journal::is_at_work(&self.paths.state()) => CheckIn::Failed,
            ChildEnded::Crashed => CheckIn::Crashed,
        };
        let after = agents.after(check_in);
        if after == agents {
            return agents;
        }
        tell_dropped(&agents, &after);
        if let Err(e) = after.save(self.paths) {
            crate::error!("{e}; what is known of the agent's versions is kept in memory");
            let saved = self.unsaved.take().map_or(agents, |(before, _)| before);
            self.unsaved = Some((saved, after.clone()));
        }
        after
    }

    /// Goes on as the newest version that has completed a check-in. Comes back only where that failed.
    fn become_resident(&self, agents: &Agents) {
        let own = own_executable();
        let Some(version) = agents.resident() else { return };
        let wanted = agent::executable(self.paths, version);
        if agent::is_same(&own, &wanted)
            || !agent::is_program(&wanted)
            || !follow::may_start(self.paths, agent::APP, version)
        {
            return;
        }
        crate::info!("going on as {}", wanted.display());
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        let error = follow::become_it(&wanted, OsStr::new(agent::APP), &arguments);
        crate::error!("cannot run {}: {error}; going on as {}", wanted.display(), own.display());
    }
}

fn tell_dropped(before: &Agents, after: &Agents) {
    if let Some(dropped) = after.dropped.as_ref().filter(|_| before.dropped.is_none()) {
        crate::error!("dropped agent v{}: {}", dropped.version.version, dropped.why);
    }
}

/// How long a check-in may take.
fn limit(agents: &Agents, config: &Config) -> Duration {
    if agents.trial {
        config.check_in_limit().min(TRIAL_LIMIT)
    } else {
        config.check_in_limit()
    }
}

/// The image's own program: this one, unless this one arrived over the air.
fn factory_executable(paths: &Paths) -> PathBuf {
    let (own, image) = (own_executable(), paths.below_root("/usr/bin/gwe"));
    if own != image && agent::has_arrived(paths, &own) {
        image
    } else {
        own
    }
}
