//! What the front end asks of the core, and what it hears: one message a packet of the socket between them, in both directions.
//!
//! What *is*, nobody asks: the front end reads the shared memory (`state`). Every request gets one answer, in their order. After
//! `CoreRequest::Watch` the core also says `Reply::Changed` when something has changed since that was said last; so a start that is waited for is
//! a request, then: read, is it so? else wait for `Changed`.

use super::wire::{Field, FieldSink, Reader};

/// A packet is never larger.
pub const MAX_PACKET: usize = 16 << 10;
/// So many bytes go to a process's input at once.
pub const MAX_STDIN: usize = 4096;
/// Front ends at the same time; who connects after that waits in the kernel's queue.
pub const MAX_FRONT_ENDS: usize = 32;

/// The front end's descriptors when the core starts it, as `supervisord --front-end`.
pub const FD_CONNECTION: i32 = 3;
pub const FD_CORE: i32 = 4;
/// The shared memory, to be read from offset 0.
pub const FD_STATE: i32 = 5;
/// The configuration that was last read (`definition::Configuration`), to be read from offset 0.
pub const FD_CONFIGURATION: i32 = 6;

/// The internal argument, and behind it what is asked for: `serve SECTION` (the connection of that server), `reload` (no connection: read the files anew
/// and answer with `CoreRequest::Restart`, or say in the log why not).
pub const FRONT_END: &str = "--front-end";

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CoreRequest<'a> {
    Start {
        id: u32,
    },
    Stop {
        id: u32,
    },
    Signal {
        id: u32,
        signal: u32,
    },
    /// At most `MAX_STDIN` bytes. Answered by `Written`.
    Stdin {
        id: u32,
        bytes: &'a [u8],
    },
    ClearLogs {
        id: u32,
    },
    ClearMainLog,
    /// Of the configuration that was last read.
    AddGroup {
        name: &'a [u8],
    },
    RemoveGroup {
        id: u32,
    },
    /// A new configuration was read: the one of the descriptor that comes with this. Nothing is applied.
    Configuration,
    Shutdown,
    /// Everything stops, and starts anew with the configuration of the descriptor.
    Restart,
    RemoteEvent {
        kind: &'a [u8],
        data: &'a [u8],
    },
    Log {
        level: u32,
        text: &'a [u8],
    },
    Watch,
    /// Become this newer core, with all that is.
    Renew {
        core: &'a [u8],
    },
    ReopenLogs,
}

/// Why a request was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Refusal {
    /// No such process or group (any more).
    Gone = 1,
    AlreadyStarted = 2,
    NotRunning = 3,
    StillRunning = 4,
    AlreadyAdded = 5,
    /// The process does not read its input any more.
    NoInput = 6,
    /// The system said no; the number is its.
    Failed = 7,
    /// The daemon stops or restarts.
    ShuttingDown = 8,
    /// The request or what came with it cannot be understood.
    Malformed = 9,
}

const REFUSALS: [Refusal; 9] = [
    Refusal::Gone,
    Refusal::AlreadyStarted,
    Refusal::NotRunning,
    Refusal::StillRunning,
    Refusal::AlreadyAdded,
    Refusal::NoInput,
    Refusal::Failed,
    Refusal::ShuttingDown,
    Refusal::Malformed,
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply {
    Done,
    Refused {
        why: Refusal,
        errno: u32,
    },
    /// So many bytes were taken; the rest is for later.
    Written {
        bytes: u32,
    },
    /// No answer: something has changed.
    Changed,
}

impl<'a> CoreRequest<'a> {
    pub fn decode(packet: &'a [u8]) -> Option<CoreRequest<'a>> {
        let mut reader = Reader::new(packet);
        let kind = u32::get(&mut reader)?;
        let id = |reader: &mut Reader<'a>| u32::get(reader);
        let text = |reader: &mut Reader<'a>| <&[u8]>::get(reader);
        Some(match kind {
            1 => CoreRequest::Start { id: id(&mut reader)? },
            2 => CoreRequest::Stop { id: id(&mut reader)? },
            3 => CoreRequest::Signal { id: id(&mut reader)?, signal: u32::get(&mut reader)? },
            4 => CoreRequest::Stdin { id: id(&mut reader)?, bytes: text(&mut reader)? },
            5 => CoreRequest::ClearLogs { id: id(&mut reader)? },
            6 => CoreRequest::ClearMainLog,
            7 => CoreRequest::AddGroup { name: text(&mut reader)? },
            8 => CoreRequest::RemoveGroup { id: id(&mut reader)? },
            9 => CoreRequest::Configuration,
            10 => CoreRequest::Shutdown,
            11 => CoreRequest::Restart,
            12 => CoreRequest::RemoteEvent { kind: text(&mut reader)?, data: text(&mut reader)? },
            13 => CoreRequest::Log { level: u32::get(&mut reader)?, text: text(&mut reader)? },
            14 => CoreRequest::Watch,
            15 => CoreRequest::Renew { core: text(&mut reader)? },
            16 => CoreRequest::ReopenLogs,
            _ => return None,
        })
    }

    pub fn encode(&self, out: &mut dyn FieldSink) -> bool {
        match self {
            CoreRequest::Start { id } => 1_u32.put(out) && id.put(out),
            CoreRequest::Stop { id } => 2_u32.put(out) && id.put(out),
            CoreRequest::Signal { id, signal } => 3_u32.put(out) && id.put(out) && signal.put(out),
            CoreRequest::Stdin { id, bytes } => 4_u32.put(out) && id.put(out) && bytes.put(out),
            CoreRequest::ClearLogs { id } => 5_u32.put(out) && id.put(out),
            CoreRequest::ClearMainLog => 6_u32.put(out),
            CoreRequest::AddGroup { name } => 7_u32.put(out) && name.put(out),
            CoreRequest::RemoveGroup { id } => 8_u32.put(out) && id.put(out),
            CoreRequest::Configuration => 9_u32.put(out),
            CoreRequest::Shutdown => 10_u32.put(out),
            CoreRequest::Restart => 11_u32.put(out),
            CoreRequest::RemoteEvent { kind, data } => 12_u32.put(out) && kind.put(out) && data.put(out),
            CoreRequest::Log { level, text } => 13_u32.put(out) && level.put(out) && text.put(out),
            CoreRequest::Watch => 14_u32.put(out),
            CoreRequest::Renew { core } => 15_u32.put(out) && core.put(out),
            CoreRequest::ReopenLogs => 16_u32.put(out),
        }
    }
}

impl Reply {
    pub fn decode(packet: &[u8]) -> Option<Reply> {
        let mut reader = Reader::new(packet);
        Some(match u32::get(&mut reader)? {
            0 => Reply::Done,
            1 => {
                let number = u32::get(&mut reader)?;
                let why = REFUSALS.iter().copied().find(|why| *why as u32 == number)?;
                Reply::Refused { why, errno: u32::get(&mut reader)? }
            }
            2 => Reply::Written { bytes: u32::get(&mut reader)? },
            3 => Reply::Changed,
            _ => return None,
        })
    }

    pub fn encode(&self, out: &mut dyn FieldSink) -> bool {
        match self {
            Reply::Done => 0_u32.put(out),
            Reply::Refused { why, errno } => 1_u32.put(out) && (*why as u32).put(out) && errno.put(out),
            Reply::Written { bytes } => 2_u32.put(out) && bytes.put(out),
            Reply::Changed => 3_u32.put(out),
        }
    }
}
