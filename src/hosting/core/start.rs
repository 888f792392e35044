//! From the checked configuration to a daemon that turns: log, groups, sockets, into the background, number into its file, everything up.

use super::arch::number;
use super::child::{become_user, fork, put_into};
use super::definition::{Configuration, Note, Settings};
use super::log::{line, CRIT, INFO};
use super::memory::Mapping;
use super::own::{Core, Front, InitialStack, FD_CONFIGURATION, MAX_FRONTS, MAX_SERVERS};
use super::run::{open_notify, open_watch, KIND_NOTIFY, KIND_SIGNALS};
use super::spawn_error::{errno_name, Number};
use super::state::{FLAG_OOM_SCORE, FLAG_PIDFILE};
use super::store::SharedMemory;
use super::system::{
    change_folder, close, close_from, dup_to, exit, facts_of_open, move_to, open, pid, read, set_umask, unlink, write,
    SysResult, Path, PathBuffer, EADDRINUSE, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
};
use super::wire::records;
use super::{cgroup, listen, pass, pool, signals, watchdog};

/// What a wrong start ends with.
const USAGE: u32 = 2;
/// The last that the kernel ends when memory is short.
const OOM_SCORE: &[u8] = b"-900";

/// Whether this process begins, or goes on with another configuration.
#[derive(Clone, Copy, PartialEq)]
pub enum First {
    Yes,
    /// What the first one found.
    No {
        oom_score: Option<i32>,
    },
}

/// Says why on standard error, and is no more.
pub fn die(parts: &[&[u8]]) -> ! {
    parts.iter().for_each(|part| {
        let _ = write(2, part);
    });
    let _ = write(2, b"\n");
    exit(USAGE)
}

fn die_of(what: &[u8], why: i32) -> ! {
    let mut number = Number::of(why);
    die(&[b"Error: ", what, b": ", errno_name(why, &mut number)])
}

pub fn fresh(around: InitialStack, first: First) -> Core {
    if first == First::Yes {
        // Whatever the starter had open.
        close_from(FD_CONFIGURATION + 1);
    }
    let size = facts_of_open(FD_CONFIGURATION).map_or(0, |facts| facts.size as usize);
    let view = Mapping::view(FD_CONFIGURATION, size).unwrap_or(Mapping::NONE);
    let Some(configuration) = Configuration::checked(view.bytes().get(..size).unwrap_or(&[])) else {
        die(&[b"Error: this is what supervisord becomes, and cannot be started alone: start supervisord"])
    };
    let store = SharedMemory::build(&configuration).unwrap_or_else(|why| die_of(b"memory for the processes", why));
    let mut core = empty(around, store);
    let settings = core.store.settings();
    if settings.uid >= 0 && first == First::Yes {
        take_user(&settings);
    }
    open_log(&core, &settings);
    for note in records(settings.notes, Note::decode) {
        line(&core.store, note.level, &[note.text]);
    }
    for group in configuration.all_groups() {
        let added = configuration.raw_group(group.name).map(|raw| core.store.add(raw));
        match added {
            Some(Ok(at)) => pool::added(&mut core, at),
            Some(Err(why)) => die_of(b"memory for the processes", why),
            None => {}
        }
    }
    view.drop();
    let settings = core.store.settings();
    match listen::open_all(&mut core) {
        Ok(()) => {}
        Err(EADDRINUSE) => in_use(),
        Err(why) => die_of(b"Cannot open an HTTP server: socket.error reported", why),
    }
    if !settings.nodaemon && first == First::Yes {
        daemonize(&core, &settings);
    }
    core.store.header().pid = pid();
    prepare(&mut core);
    match first {
        First::Yes => lower_oom_score(&core),
        First::No { oom_score } => {
            let header = core.store.header();
            header.oom_score = oom_score.unwrap_or(0);
            header.flags |= if oom_score.is_some() { FLAG_OOM_SCORE } else { 0 };
        }
    }
    write_pid_file(&core, &settings);
    watchdog::start(&core);
    line(&core.store, INFO, &[b"supervisord started with pid ", Number::of(pid()).digits()]);
    pool::supervisor_changed(&mut core, false);
    pass::autostart(&mut core, None);
    core
}

pub fn empty(around: InitialStack, store: SharedMemory) -> Core {
    Core {
        store,
        surroundings: around,
        epoll: -1,
        signals: -1,
        notify: -1,
        servers: [listen::Listening::default(); MAX_SERVERS],
        fronts: [Front::default(); MAX_FRONTS],
        next_configuration: None,
        reported_ms: 0,
        watchdog_due_ms: 0,
        is_accepting: true,
        ended_pid: 0,
        went_deep: true,
        after_seen: 0,
        buffers: pool::Buffers::EMPTY,
    }
}

/// Signals and the watch. Without them nothing can work.
pub fn prepare(core: &mut Core) {
    const PR_SET_NAME: usize = 15;
    // SAFETY: a name that ends with NUL.
    let _ = unsafe { super::system::ask(number::PRCTL, &[PR_SET_NAME, b"supervisord\0".as_ptr() as usize, 0, 0, 0]) };
    core.epoll = open_watch().unwrap_or_else(|why| die_of(b"epoll", why));
    core.signals = signals::open().unwrap_or_else(|why| die_of(b"signals", why));
    core.notify = open_notify().unwrap_or(-1);
    core.watch(core.signals, KIND_SIGNALS, 0);
    core.watch(core.notify, KIND_NOTIFY, 0);
    listen::attend_all(core);
}

fn in_use() -> ! {
    die(&[
        b"Error: Another program is already listening on a port that one of our HTTP servers is configured to use.  \
          Shut this program down first before starting supervisord.\nFor help, use supervisord -h",
    ])
}

fn take_user(settings: &Settings<'_>) {
    // SAFETY: no memory.
    let own = unsafe { super::system::ask(number::GETUID, &[]) }.unwrap_or(0) as i32;
    if own == settings.uid {
        return;
    }
    if own != 0 || become_user(settings.uid, settings.gid, settings.groups).is_err() {
        die(&[b"Error: Can't drop privilege as nonroot user\nFor help, use supervisord -h"]);
    }
}

fn open_log(core: &Core, settings: &Settings<'_>) {
    if settings.logfile.is_empty() {
        return;
    }
    if let Err(why) = super::log::target(&core.store, |log| log.open()) {
        let mut number = Number::of(why);
        let why = errno_name(why, &mut number);
        die(&[b"Error: Cannot open the log ", settings.logfile, b": ", why, b"\nFor help, use supervisord -h"]);
    }
}

/// The parent ends as soon as all that can fail has gone well.
fn daemonize(core: &Core, settings: &Settings<'_>) {
    line(&core.store, INFO, &[b"daemonizing the supervisord process"]);
    match fork() {
        Ok(0) => {}
        Ok(_) => exit(0),
        Err(why) => die_of(b"cannot go into the background", why),
    }
    // SAFETY: no memory.
    let _ = unsafe { super::system::ask(number::SETSID, &[]) };
    if let Some(Err(_)) = PathBuffer::of(&[settings.directory])
        .filter(|_| !settings.directory.is_empty())
        .map(|path| change_folder(path.path()))
    {
        line(&core.store, CRIT, &[b"can't chdir into: ", settings.directory]);
    }
    if let Some(Ok(null)) = Path::of(b"/dev/null\0").map(|path| open(path, O_RDWR, 0)) {
        (0..3).for_each(|fd| {
            let _ = dup_to(null, fd);
        });
        if null > 2 {
            close(null);
        }
    }
    set_umask(settings.umask);
}

/// A pid file that cannot be written is no reason to end.
fn write_pid_file(core: &Core, settings: &Settings<'_>) {
    let Some(path) = PathBuffer::of(&[settings.pidfile]).filter(|_| !settings.pidfile.is_empty()) else { return };
    let own = Number::of(pid());
    let written = open(path.path(), O_WRONLY | O_CREAT | O_TRUNC, 0o644).and_then(|fd| {
        let written = write(fd, own.digits()).and_then(|_| write(fd, b"\n"));
        close(fd);
        written
    });
    match written {
        Ok(_) => core.store.header().flags |= FLAG_PIDFILE,
        Err(_) => line(&core.store, CRIT, &[b"could not write pidfile ", settings.pidfile]),
    }
}

/// What it was goes to the children.
fn lower_oom_score(core: &Core) {
    if let Some(Ok(fd)) = Path::of(b"/proc/self/oom_score_adj\0").map(|path| open(path, O_RDONLY, 0)) {
        let mut text = [0; 8];
        let count = read(fd, &mut text).unwrap_or(0);
        close(fd);
        let header = core.store.header();
        header.oom_score = number(text.get(..count).unwrap_or(b""));
        header.flags |= FLAG_OOM_SCORE;
        put_into(b"/proc/self/oom_score_adj\0", OOM_SCORE);
    }
}

fn number(text: &[u8]) -> i32 {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit());
    let value = digits.fold(0_i32, |value, digit| value.wrapping_mul(10).wrapping_add(i32::from(*digit - b'0')));
    if text.starts_with(b"-") {
        value.wrapping_neg()
    } else {
        value
    }
}

/// The end of all: files that are ours go.
pub fn clean_up(core: &mut Core) {
    watchdog::stop(core);
    listen::close_all(core);
    core.store.processes().filter_map(|place| core.store.program(place)).for_each(|(_, program)| cgroup::left(&program));
    let header = core.store.header();
    if header.flags & FLAG_PIDFILE != 0 && is_own_pid_file(core) {
        if let Some(path) = PathBuffer::of(&[core.store.settings().pidfile]) {
            let _ = unlink(path.path());
        }
    }
}

/// Another daemon may have written it anew.
fn is_own_pid_file(core: &Core) -> bool {
    let mut text = [0; 16];
    let mut read_it = |path: PathBuffer| -> SysResult<usize> {
        let fd = open(path.path(), O_RDONLY, 0)?;
        let count = read(fd, &mut text);
        close(fd);
        count
    };
    let count = PathBuffer::of(&[core.store.settings().pidfile]).and_then(|path| read_it(path).ok()).unwrap_or(0);
    let digits = text.get(..count).and_then(|text| text.strip_suffix(b"\n"));
    digits == Some(Number::of(core.store.header().pid).digits())
}

/// As `clean_up`, and the new configuration in its place.
pub fn clean_up_for_restart(core: &mut Core) {
    clean_up(core);
    if let Some(next) = core.next_configuration.take() {
        let _ = move_to(next, FD_CONFIGURATION);
    }
    (0..MAX_FRONTS).for_each(|place| super::front::hang_up(core, place));
    for place in core.store.processes() {
        super::output::close_pipes(core, place);
        super::output::close_logs(core, place);
    }
    close(core.store.header().log_fd);
}
