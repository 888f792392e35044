//! What the core has of its own beside the shared memory, and the numbers of its descriptors.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::listen::Listening;
use super::store::SharedMemory;

/// The configuration that was last read. A fresh core finds its first one here.
pub const FD_CONFIGURATION: i32 = 3;
/// The shared memory. A core that takes over finds it here.
pub const FD_STATE: i32 = 4;
/// The listening sockets, in the order of the settings.
pub const FD_SERVERS: i32 = 8;
pub const MAX_SERVERS: usize = 8;
/// The sockets to front ends.
pub const FD_FRONTS: i32 = 16;
pub const MAX_FRONTS: usize = super::protocol::MAX_FRONT_ENDS;

/// One read of an output, and one packet, are never larger.
pub const MAX_READ: usize = 16 << 10;

/// What the kernel put on the stack.
#[derive(Clone, Copy)]
pub struct InitialStack {
    pub arguments: *const *const u8,
    pub environment: *const *const u8,
}

/// A front end that was started.
#[derive(Clone, Copy, Default)]
pub struct Front {
    /// 0: this place is free.
    pub pid: i32,
    /// Whether its socket is still open.
    pub is_open: bool,
    /// The connection that it serves; 0: none, or one that came before this core.
    pub client: i32,
    pub watches: bool,
    /// `Header::changes` as it was last told.
    pub told: u32,
}

pub struct Core {
    pub store: SharedMemory,
    pub surroundings: InitialStack,
    pub epoll: i32,
    pub signals: i32,
    pub notify: i32,
    pub servers: [Listening; MAX_SERVERS],
    pub fronts: [Front; MAX_FRONTS],
    /// The configuration to start anew with, once all has stopped.
    pub next_configuration: Option<i32>,
    /// When "waiting for ... to die" was said last.
    pub reported_ms: u64,
    /// When the watchdog is fed next.
    pub watchdog_due_ms: u64,
    /// Whether the listening sockets are in the watch.
    pub is_accepting: bool,
    /// The number of the process whose end is being told.
    pub ended_pid: i32,
    /// Whether something was done that goes deep into the stack.
    pub went_deep: bool,
    /// `Header::changes` when it was last looked whose turn has come.
    pub after_seen: u32,
    pub buffers: super::pool::Buffers,
}

/// Where the arguments and the environment are, for a core that has a fault.
static ARGUMENTS: AtomicUsize = AtomicUsize::new(0);
static ENVIRONMENT: AtomicUsize = AtomicUsize::new(0);

impl InitialStack {
    pub fn remember(self) {
        ARGUMENTS.store(self.arguments as usize, Ordering::Relaxed);
        ENVIRONMENT.store(self.environment as usize, Ordering::Relaxed);
    }

    pub fn remembered() -> (usize, usize) {
        (ARGUMENTS.load(Ordering::Relaxed), ENVIRONMENT.load(Ordering::Relaxed))
    }
}

/// The one buffer, for what is read and sent in one step and not kept.
pub struct Scratch(core::cell::UnsafeCell<[u8; 4 * MAX_READ]>);

// SAFETY: the core is one thread.
unsafe impl Sync for Scratch {}

static SCRATCH: Scratch = Scratch(core::cell::UnsafeCell::new([0; 4 * MAX_READ]));

/// The quarter that outputs are read into.
pub fn for_output() -> &'static mut [u8] {
    quarter(0)
}

/// The quarter that packets of front ends are read into.
pub fn for_packets() -> &'static mut [u8] {
    quarter(1)
}

/// What a child puts together before it becomes the program: its copy, which the core never sees. Pointers, then texts.
pub fn for_child() -> (&'static mut [u8], &'static mut [u8]) {
    whole().split_at_mut(2 * MAX_READ)
}

/// The same for a line of the log; nothing is logged while something is copied.
pub fn for_lines() -> &'static mut [u8] {
    quarter(2)
}

/// The quarter for bytes that are copied from file to file.
pub fn for_copies() -> &'static mut [u8] {
    quarter(2)
}

/// The quarter for an event on its way to a listener.
pub fn for_events() -> &'static mut [u8] {
    quarter(3)
}

fn whole() -> &'static mut [u8] {
    // SAFETY: one thread; each quarter has one user at a time.
    unsafe { &mut *SCRATCH.0.get() }
}

fn quarter(index: usize) -> &'static mut [u8] {
    &mut whole()[index * MAX_READ..(index + 1) * MAX_READ]
}
