//! Why a process is not there, as a number and as supervisord's text.

use super::wire::FieldSink;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum SpawnError {
    None = 0,
    TooQuickly = 1,
    /// The number is the code; -1 is a signal.
    BadExit = 2,
    CannotFind = 3,
    IsDirectory = 4,
    NotExecutable = 5,
    NoPermission = 6,
    CannotParse = 7,
    EmptyCommand = 8,
    TooManyFiles = 9,
    TooManyProcesses = 10,
    /// The number is the system's, as in the next.
    Fork = 11,
    Dispatchers = 12,
}

const ALL: [SpawnError; 13] = [
    SpawnError::None,
    SpawnError::TooQuickly,
    SpawnError::BadExit,
    SpawnError::CannotFind,
    SpawnError::IsDirectory,
    SpawnError::NotExecutable,
    SpawnError::NoPermission,
    SpawnError::CannotParse,
    SpawnError::EmptyCommand,
    SpawnError::TooManyFiles,
    SpawnError::TooManyProcesses,
    SpawnError::Fork,
    SpawnError::Dispatchers,
];

impl SpawnError {
    pub fn of(number: u32) -> SpawnError {
        ALL.iter().copied().find(|error| *error as u32 == number).unwrap_or(SpawnError::None)
    }

    /// What it says of a process `name` whose command is `command`, split `first` to begin with; empty for none.
    pub fn text(self, detail: i32, name: &[u8], command: &[u8], first: &[u8], fault: &[u8], out: &mut dyn FieldSink) {
        let mut say = |parts: &[&[u8]]| {
            // What does not fit is left out.
            let _ = parts.iter().all(|part| out.put(part));
        };
        match self {
            SpawnError::None => {}
            SpawnError::TooQuickly => say(&[b"Exited too quickly (process log may have details)"]),
            SpawnError::BadExit => say(&[b"Bad exit code ", Number::of(detail).digits()]),
            SpawnError::CannotFind => say(&[b"can't find command '", first, b"'"]),
            SpawnError::IsDirectory => say(&[b"command at '", first, b"' is a directory"]),
            SpawnError::NotExecutable => say(&[b"command at '", first, b"' is not executable"]),
            SpawnError::NoPermission => say(&[b"no permission to run command '", first, b"'"]),
            SpawnError::CannotParse => say(&[b"can't parse command '", command, b"': ", fault]),
            SpawnError::EmptyCommand => say(&[b"command is empty"]),
            SpawnError::TooManyFiles => say(&[b"too many open files to spawn '", name, b"'"]),
            SpawnError::TooManyProcesses => say(&[b"Too many processes in process table to spawn '", name, b"'"]),
            SpawnError::Fork => {
                say(&[b"unknown error during fork for '", name, b"': ", errno_name(detail, &mut Number::of(detail))])
            }
            SpawnError::Dispatchers => {
                let errno = &mut Number::of(detail);
                say(&[b"unknown error making dispatchers for '", name, b"': ", errno_name(detail, errno)])
            }
        }
    }
}

/// A number in decimal, without any allocation.
pub struct Number {
    digits: [u8; 20],
    from: usize,
}

impl Number {
    pub fn of(value: i32) -> Number {
        let mut number = Number::of_u64(u64::from(value.unsigned_abs()));
        if value < 0 {
            number.push(b'-');
        }
        number
    }

    pub fn of_u64(value: u64) -> Number {
        let mut number = Number { digits: [b'0'; 20], from: 20 };
        let mut rest = value;
        loop {
            number.push(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                return number;
            }
        }
    }

    fn push(&mut self, digit: u8) {
        if let Some(place) = self.from.checked_sub(1).and_then(|from| self.digits.get_mut(from)) {
            *place = digit;
            self.from -= 1;
        }
    }

    pub fn digits(&self) -> &[u8] {
        self.digits.get(self.from..).unwrap_or(b"")
    }
}

/// The system's name of an error, else its number.
pub fn errno_name(errno: i32, number: &mut Number) -> &[u8] {
    match errno {
        1 => b"EPERM",
        2 => b"ENOENT",
        4 => b"EINTR",
        5 => b"EIO",
        7 => b"E2BIG",
        8 => b"ENOEXEC",
        9 => b"EBADF",
        11 => b"EAGAIN",
        12 => b"ENOMEM",
        13 => b"EACCES",
        16 => b"EBUSY",
        17 => b"EEXIST",
        20 => b"ENOTDIR",
        21 => b"EISDIR",
        22 => b"EINVAL",
        23 => b"ENFILE",
        24 => b"EMFILE",
        26 => b"ETXTBSY",
        27 => b"EFBIG",
        28 => b"ENOSPC",
        29 => b"ESPIPE",
        30 => b"EROFS",
        32 => b"EPIPE",
        36 => b"ENAMETOOLONG",
        40 => b"ELOOP",
        _ => {
            *number = Number::of(errno);
            number.digits()
        }
    }
}
