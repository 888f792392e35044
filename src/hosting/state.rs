//! The memory that the core shares: what is, for all who only look. One file in memory, written by the core alone; the front end gets it
//! open, reads it whole, and decodes it here. A newer core that takes over reads it, too, so fields are only ever added at a record's end.
//!
//! `Header`, then the encoded `definition::Settings`, then group after group: `GroupRecord`, its `ProcessRecord`s, and the encoded
//! `definition::Group`. Each starts at a multiple of eight. `Header::sequence` is odd while something is being changed, and another
//! after it: who reads takes it before and after, and reads again if it was not the same even number.

/// First field of the header.
pub const MAGIC: u32 = 0x4757_4802;
/// What `Header::layout` says. Another one means that not even this page holds.
pub const LAYOUT: u32 = 1;
/// The whole is never larger.
pub const MAX_STATE: usize = 16 << 20;

macro_rules! shared {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[repr(C)]
        pub struct $name { $($(#[$doc])* pub $field: $kind,)* }

        impl $name {
            pub const SIZE: usize = core::mem::size_of::<$name>();

            /// Its bytes, as `read` takes them, at the beginning of these; what does not fit is left out.
            pub fn put(&self, out: &mut [u8]) {
                let mut at = 0;
                $(
                    if let Some(place) = out.get_mut(at..at + core::mem::size_of::<$kind>()) {
                        place.copy_from_slice(&self.$field.to_ne_bytes());
                    }
                    at += core::mem::size_of::<$kind>();
                )*
                let _ = at;
            }

            /// From the beginning of these bytes. What an older core did not know is zero.
            pub fn read(bytes: &[u8]) -> $name {
                let mut record = $name::default();
                let mut at = 0;
                $(
                    if let Some(Ok(field)) = bytes.get(at..at + core::mem::size_of::<$kind>()).map(TryInto::try_into) {
                        record.$field = <$kind>::from_ne_bytes(field);
                    }
                    at += core::mem::size_of::<$kind>();
                )*
                let _ = at;
                record
            }
        }
    };
}

shared! {
    /// Where everything is, and how the daemon is. Its first 16 bytes never change their meaning.
    Header {
        magic: u32,
        layout: u32,
        sequence: u32,
        /// Of this record, of a group's and of a process's.
        header_size: u32,
        group_size: u32,
        process_size: u32,
        /// Bytes in use.
        used: u32,
        settings_at: u32,
        settings_len: u32,
        first_group_at: u32,
        groups: u32,
        /// supervisord's own: RUNNING 1, RESTARTING 0, SHUTDOWN -1.
        mood: i32,
        pid: i32,
        /// Which number the next process or group gets.
        next_id: u32,
        /// Counts every change that a front end may wait for.
        changes: u32,
        event_serial: u32,
        /// The core's own descriptors.
        signals_fd: i32,
        log_fd: i32,
        watchdog_fd: i32,
        /// Bytes that the log did not take since it last took any.
        log_dropped: u32,
        log_size: u64,
        log_inode: u64,
        last_tick: u64,
        /// Which of the flags below hold.
        flags: u32,
        /// What /proc/self/oom_score_adj said before the core lowered its own.
        oom_score: i32,
        log_retry_ms: u64,
        next_look_ms: u64,
    }
}

/// `Header::flags`: the pid file is this daemon's own.
pub const FLAG_PIDFILE: u32 = 1;
/// The end of all processes has been asked for, group after group.
pub const FLAG_STOPPING_ANNOUNCED: u32 = 2;
/// `oom_score` holds.
pub const FLAG_OOM_SCORE: u32 = 4;
/// The core has gone on after a fault of its own: so often, in the upper half.
pub const ONE_FAULT: u32 = 1 << 16;

shared! {
    /// A group: `size` bytes to the next.
    GroupRecord {
        size: u32,
        id: u32,
        /// From the beginning of the group.
        definition_at: u32,
        definition_len: u32,
        processes: u32,
        priority: i32,
        kind: u32,
        /// Of an fcgi-program: its socket.
        socket_fd: i32,
        pool_serial: u32,
        /// How often a process of it was started again since it did not answer its probe.
        probe_restarts: u32,
    }
}

shared! {
    /// A process, in the order of its group's definition.
    ProcessRecord {
        /// On the monotonic clock; 0: never.
        started_ms: u64,
        stopped_ms: u64,
        /// `u64::MAX`: nothing is due.
        due_ms: u64,
        stdout_size: u64,
        stdout_inode: u64,
        stderr_size: u64,
        stderr_inode: u64,
        /// Its number, never given twice while this daemon lives.
        id: u32,
        /// `table::State`.
        state: u32,
        wanted: u32,
        sent: u32,
        /// 0: none.
        pid: i32,
        /// -1: ended by a signal.
        exit_status: i32,
        /// Whether `exit_status` is known.
        has_exited: u32,
        backoff: u32,
        /// `spawn_error::SpawnError`, and the number in its text.
        spawn_error: u32,
        spawn_detail: u32,
        /// Changes of state so far, how often it was started, RUNNING, and in BACKOFF: who waits sees what was in between.
        changes: u32,
        starts: u32,
        runs: u32,
        failures: u32,
        /// The core's ends of its pipes, and its logs; -1: none.
        stdin_fd: i32,
        stdout_fd: i32,
        stderr_fd: i32,
        stdout_log_fd: i32,
        stderr_log_fd: i32,
        /// Bytes that the disk did not take.
        stdout_dropped: u32,
        stderr_dropped: u32,
        /// Of an event listener: unknown 0, acknowledged 1, ready 2, busy 3.
        listener: u32,
        /// Stop reports and complaints about the disk are bounded.
        reported_ms: u64,
        complained_ms: u64,
    }
}

/// `ProcessRecord::due_ms` while nothing is due.
pub const NEVER: u64 = u64::MAX;

/// A group as it stands in the memory.
pub struct GroupView<'a> {
    pub record: GroupRecord,
    /// The encoded `definition::Group`.
    pub definition: &'a [u8],
    processes: &'a [u8],
    process_size: usize,
}

impl<'a> GroupView<'a> {
    pub fn process(&self, index: usize) -> Option<ProcessRecord> {
        let at = index.checked_mul(self.process_size)?;
        let bytes = self.processes.get(at..at + self.process_size)?;
        Some(ProcessRecord::read(bytes))
    }
}

/// A copy of the memory, taken as a whole.
pub struct View<'a> {
    pub header: Header,
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// `None`: it is not such a memory, or one that this program does not know.
    pub fn of(bytes: &'a [u8]) -> Option<View<'a>> {
        let header = Header::read(bytes);
        let fits = header.used as usize <= bytes.len() && header.header_size as usize <= bytes.len();
        let is_known = header.magic == MAGIC && header.layout == LAYOUT && header.process_size > 0;
        // Nothing behind its own size is the header's.
        let header = Header::read(bytes.get(..header.header_size as usize)?);
        (fits && is_known).then_some(View { header, bytes: bytes.get(..header.used as usize)? })
    }

    pub fn settings(&self) -> Option<&'a [u8]> {
        let at = self.header.settings_at as usize;
        self.bytes.get(at..at.checked_add(self.header.settings_len as usize)?)
    }

    pub fn groups(&self) -> impl Iterator<Item = GroupView<'a>> + 'a {
        let (bytes, header) = (self.bytes, self.header);
        let mut at = header.first_group_at as usize;
        (0..header.groups).map_while(move |_| {
            let group = group_at(bytes.get(at..)?, &header)?;
            at = at.checked_add(group.record.size as usize)?;
            Some(group)
        })
    }
}

fn group_at<'a>(bytes: &'a [u8], header: &Header) -> Option<GroupView<'a>> {
    let record = GroupRecord::read(bytes.get(..header.group_size as usize)?);
    let definition_at = record.definition_at as usize;
    let definition = bytes.get(definition_at..definition_at.checked_add(record.definition_len as usize)?)?;
    let process_size = header.process_size as usize;
    let processes = bytes.get(header.group_size as usize..)?;
    let processes = processes.get(..process_size.checked_mul(record.processes as usize)?)?;
    (record.size > 0).then_some(GroupView { record, definition, processes, process_size })
}
