//! Programs that are asked whether they still work: for each a place in one table, the child that asks, and what its end means. Without a program that
//! has a probe and an interval nothing here is touched, and nobody is woken.

use super::child::{become_program, fork, Ends};
use super::command::resolve;
use super::definition::Program;
use super::kept::{Item, PROBE};
use super::life::happens;
use super::log::{line, WARN};
use super::own::Core;
use super::probe::{Duty, ProbeEvent, Cadence, Questions};
use super::spawn_error::Number;
use super::state::{ProcessRecord, NEVER};
use super::store::Place;
use super::system::{close, kill, now_ms, open, SysResult, Path, PathBuffer, ENOENT, O_RDWR};
use super::table::{self, State};

/// So many programs are asked; of more the log says that they are not.
const MAX_PROBES: usize = 64;
const SIGKILL: u32 = 9;

#[derive(Clone, Copy)]
struct Asked {
    /// The process; 0: none, and the place is free once its last probe has ended.
    id: u32,
    /// The probe that runs; 0: none.
    pid: i32,
    watch: Questions,
}

struct Probes {
    asked: [Asked; MAX_PROBES],
    /// Places that may be in use: the first so many.
    used: usize,
}

struct Cell(core::cell::UnsafeCell<Probes>);

// SAFETY: the core is one thread.
unsafe impl Sync for Cell {}

const NONE: Asked = Asked {
    id: 0,
    pid: 0,
    watch: Questions { phase: super::probe::Phase::Resting, due_ms: 0, misses: 0, has_passed: false },
};

/// All zero: its pages are there only once they are used.
static TABLE: Cell = Cell(core::cell::UnsafeCell::new(Probes { asked: [NONE; MAX_PROBES], used: 0 }));

fn table() -> &'static mut Probes {
    // SAFETY: one thread, and no reference outlives a function of this file's callers.
    unsafe { &mut *TABLE.0.get() }
}

/// The places that may be in use.
fn all() -> &'static mut [Asked] {
    let table = table();
    table.asked.get_mut(..table.used).unwrap_or(&mut [])
}

fn of(id: u32) -> Option<&'static mut Asked> {
    all().iter_mut().find(|asked| asked.id == id)
}

fn pace(program: &Program<'_>) -> Cadence {
    Cadence {
        interval_ms: u64::from(program.probe_interval) * 1000,
        timeout_ms: u64::from(program.probe_timeout) * 1000,
        retries: program.probe_retries,
    }
}

/// A process has come up, or is up no more.
pub fn state_changed(core: &Core, process: &ProcessRecord, program: &Program<'_>, after: State) {
    if program.probe_interval == 0 || program.probe.is_empty() {
        return;
    }
    match after {
        State::Running => begin(core, process.id, program),
        _ => {
            if let Some(asked) = of(process.id) {
                asked.id = 0;
                end_probe(asked);
            }
        }
    }
}

fn begin(core: &Core, id: u32, program: &Program<'_>) {
    let table = table();
    let free = table.asked.iter().position(|asked| asked.id == 0 && asked.pid == 0);
    match free.and_then(|at| Some((at, table.asked.get_mut(at)?))) {
        Some((at, place)) => {
            *place = Asked { id, pid: 0, watch: Questions::begun(now_ms()) };
            table.used = table.used.max(at + 1);
        }
        None => line(&core.store, WARN, &[b"the probe of '", program.name, b"' is not run: too many have one"]),
    }
}

/// With all that it started; it may not have its own group yet.
fn end_probe(asked: &Asked) {
    if asked.pid > 0 {
        let _ = kill(asked.pid, SIGKILL);
        let _ = kill(-asked.pid, SIGKILL);
    }
}

/// Of a core that has had a fault.
pub fn end_all() {
    all().iter().for_each(end_probe);
}

/// Whether the process has no probe to pass, or has passed it since it came up.
pub fn has_passed(id: u32) -> bool {
    of(id).map_or(true, |asked| asked.watch.has_passed)
}

/// Does what is due; when the next is.
pub fn look(core: &mut Core) -> u64 {
    if all().is_empty() || core.store.header().mood <= 0 {
        return NEVER;
    }
    let now = now_ms();
    for index in 0..all().len() {
        if let Some(asked) = all().get(index).filter(|asked| asked.id != 0 && asked.watch.due_ms <= now) {
            step(core, asked.id, ProbeEvent::Due);
        }
    }
    all().iter().filter(|asked| asked.id != 0).fold(NEVER, |soonest, asked| soonest.min(asked.watch.due_ms))
}

fn step(core: &mut Core, id: u32, event: ProbeEvent) {
    let Some(place) = core.store.find(|process| process.id == id) else { return };
    let (Some((_, program)), Some(asked)) = (core.store.program(place), of(id)) else { return };
    let had_passed = asked.watch.has_passed;
    match asked.watch.step(event, now_ms(), &pace(&program)) {
        Duty::Nothing => {}
        Duty::Ask => match ask(core, place) {
            Ok(pid) => asked.pid = pid,
            Err(why) => {
                let number = Number::of(why);
                line(&core.store, WARN, &[b"the probe of '", program.name, b"' cannot be started: errno ", number.digits()]);
                step(core, id, ProbeEvent::NotAsked);
            }
        },
        Duty::Kill => end_probe(asked),
        Duty::Missed => missed(core, &program, asked.watch.misses),
        Duty::Restart => {
            missed(core, &program, asked.watch.misses);
            restart(core, place, &program);
        }
    }
    if !had_passed && has_passed(id) {
        // Others may have waited for that.
        let header = core.store.header();
        header.changes = header.changes.wrapping_add(1);
    }
}

fn missed(core: &Core, program: &Program<'_>, misses: u32) {
    let (misses, most) = (Number::of_u64(u64::from(misses)), Number::of_u64(u64::from(program.probe_retries)));
    let parts: [&[u8]; 6] = [b"the probe of '", program.name, b"' missed: ", misses.digits(), b" of ", most.digits()];
    line(&core.store, WARN, &parts);
}

/// As somebody would by hand: it may end in order.
fn restart(core: &mut Core, place: Place, program: &Program<'_>) {
    line(&core.store, WARN, &[b"'", program.name, b"' does not answer its probe, and is started again"]);
    if let Some(group) = core.store.group(place.group) {
        group.probe_restarts = group.probe_restarts.wrapping_add(1);
    }
    happens(core, place, table::Event::Stop);
    happens(core, place, table::Event::Start);
}

/// The child that asks: the program's own start with another command, its input and outputs nowhere.
fn ask(core: &Core, place: Place) -> SysResult<i32> {
    let (group, program) = core.store.program(place).ok_or(ENOENT)?;
    let probe = Program { argv: program.probe, command_fault: b"", ..program };
    let file: PathBuffer = resolve(&probe, core.surroundings).map_err(|_| ENOENT)?;
    let null = Path::of(b"/dev/null\0").map_or(Err(ENOENT), |path| open(path, O_RDWR, 0))?;
    let ends = Ends { stdin: null, stdout: null, stderr: null };
    let pid = fork();
    if pid == Ok(0) {
        become_program(core, &group, &probe, &file, &ends, super::cgroup::make(&probe));
    }
    close(null);
    pid
}

/// A child has ended; whether it was a probe.
pub fn ended(core: &mut Core, pid: i32, good: bool) -> bool {
    let Some(asked) = all().iter_mut().find(|asked| asked.pid == pid) else { return false };
    // What it left behind goes with it.
    let _ = kill(-pid, SIGKILL);
    asked.pid = 0;
    if asked.id != 0 {
        step(core, asked.id, ProbeEvent::Ended { good });
    }
    true
}

/// Another core goes on: it asks again what was being asked.
pub fn save(put: &mut dyn FnMut(Item<'_>) -> bool) -> bool {
    all().iter_mut().filter(|asked| asked.id != 0).all(|asked| {
        end_probe(asked);
        let is_asking = core::mem::replace(&mut asked.pid, 0) > 0;
        if is_asking {
            asked.watch = Questions { phase: super::probe::Phase::Resting, due_ms: now_ms(), ..asked.watch };
        }
        let due = u32::try_from(asked.watch.due_ms.saturating_sub(now_ms())).unwrap_or(u32::MAX);
        put(Item::of(PROBE, asked.id, [asked.watch.misses, u32::from(asked.watch.has_passed), due, 0], b""))
    })
}

/// What the core before knew; whoever it did not know of begins anew.
pub fn restore(item: &Item<'_>) {
    if let Some(asked) = of(item.id) {
        asked.watch.misses = item.number(0);
        asked.watch.has_passed = item.number(1) != 0;
        asked.watch.due_ms = now_ms() + u64::from(item.number(2));
    }
}

/// All that are up, for a core that takes over.
pub fn adopt(core: &Core) {
    for place in core.store.processes() {
        if let (Some(process), Some((_, program))) = (core.store.process(place), core.store.program(place)) {
            if process.state == State::Running as u32 {
                state_changed(core, process, &program, State::Running);
            }
        }
    }
}
