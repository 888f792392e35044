//! Logs: pieces of them, and clearing them. The files are read by their names.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::act::{ask, now};
use super::fault::{MethodFault, BAD_ARGUMENTS, FAILED, INCORRECT_PARAMETERS, NO_FILE};
use super::now::text;
use super::ResidentCore;
use crate::format::xmlrpc::Value;
use crate::hosting::protocol::CoreRequest;

/// One answer holds so much of a log, in bytes.
const MAX_READ: u64 = 4 << 20;

/// Which of a process's outputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Stdout,
    Stderr,
}

/// The file of an output; `None`: it has none, or the file is not there.
pub(super) fn file(core: &mut dyn ResidentCore, name: &str, channel: Channel) -> Result<(String, bool), MethodFault> {
    let now = now(core)?;
    let found = now.find_one(name)?;
    let output = match channel {
        Channel::Stdout => found.program.read_stdout(),
        Channel::Stderr => found.program.read_stderr(),
    };
    let path = text(output.logfile);
    let exists = !path.is_empty() && Path::new(&path).exists();
    Ok((path, exists))
}

pub(super) fn main_file(core: &mut dyn ResidentCore) -> Result<(String, bool), MethodFault> {
    let path = text(now(core)?.settings().logfile);
    let exists = !path.is_empty() && Path::new(&path).exists();
    Ok((path, exists))
}

fn no_file(path: &str) -> MethodFault {
    if path.is_empty() {
        MethodFault::plain(NO_FILE)
    } else {
        MethodFault::about(NO_FILE, path)
    }
}

/// What a client gives as a place or a length.
pub(super) fn number(value: &Value) -> Result<i64, MethodFault> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Bool(yes) => Ok(i64::from(*yes)),
        Value::Text(text) => text.trim().parse().map_err(|_| MethodFault::plain(BAD_ARGUMENTS)),
        _ => Err(MethodFault::plain(INCORRECT_PARAMETERS)),
    }
}

fn open(path: &str) -> Option<(File, u64)> {
    let facts = std::fs::metadata(path).ok()?;
    // A pipe or a terminal would be waited for.
    let file = if facts.is_file() { File::open(path).ok()? } else { return None };
    Some((file, facts.len()))
}

fn piece(file: &mut File, from: u64, length: u64) -> Option<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from)).ok()?;
    file.take(length.min(MAX_READ)).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A piece of a log from `offset` on; a negative offset is its end.
pub(super) fn read((path, exists): (String, bool), offset: i64, length: i64) -> Result<Value, MethodFault> {
    if !exists {
        return Err(no_file(&path));
    }
    if length < 0 || (offset < 0 && length != 0) {
        return Err(MethodFault::plain(BAD_ARGUMENTS));
    }
    let failed = || MethodFault::plain(FAILED);
    let (mut file, size) = open(&path).ok_or_else(failed)?;
    let (from, length) = match u64::try_from(offset) {
        Ok(from) if length == 0 => (from, MAX_READ),
        Ok(from) => (from, length.unsigned_abs()),
        Err(_) => (size.saturating_sub(offset.unsigned_abs()), offset.unsigned_abs()),
    };
    piece(&mut file, from, length).map(Value::Text).ok_or_else(failed)
}

/// The end of a log, its size, and whether it has grown beyond what the client knew.
pub(super) fn tail((path, exists): (String, bool), offset: i64, length: i64) -> Value {
    let answer = |text: String, size: i64, overflow: bool| {
        Value::Array(vec![Value::Text(text), Value::Int(size), Value::Bool(overflow)])
    };
    if !exists {
        return answer(String::new(), 0, false);
    }
    let Some((mut file, size)) = open(&path) else { return answer(String::new(), offset, false) };
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let end = offset.saturating_add(length);
    let overflow = size > end;
    let mut from = if overflow { size - 1 } else { offset };
    let mut length = length;
    if from.saturating_add(length) > size {
        if from > size - 1 {
            length = 0;
        }
        from = size - length;
    }
    let (from, length) = (from.max(0).unsigned_abs(), length.max(0).unsigned_abs());
    let text = if length == 0 { Some(String::new()) } else { piece(&mut file, from, length) };
    answer(text.unwrap_or_default(), size, overflow)
}

pub(super) fn clear_main(core: &mut dyn ResidentCore) -> Result<Value, MethodFault> {
    if !main_file(core)?.1 {
        return Err(MethodFault::plain(NO_FILE));
    }
    ask(core, &CoreRequest::ClearMainLog, None, "").map_err(|fault| match fault.code {
        code if code == FAILED.0 => MethodFault::plain(FAILED),
        _ => fault,
    })?;
    Ok(Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_as_the_real_one_gives_them() {
        let path = std::env::temp_dir().join(format!("gwe-piece-{}", std::process::id()));
        std::fs::write(&path, b"0123456789").unwrap();
        let file = || (path.to_str().unwrap().to_string(), true);
        // The right-hand sides are what supervisor.options.readFile and tailFile give.
        for (offset, length, want) in
            [(0, 0, "0123456789"), (2, 3, "234"), (-4, 0, "6789"), (-40, 0, "0123456789"), (20, 5, ""), (8, 9, "89")]
        {
            assert_eq!(read(file(), offset, length), Ok(Value::Text(want.into())), "{offset} {length}");
        }
        for (offset, length) in [(-1, 1), (0, -1)] {
            assert_eq!(read(file(), offset, length).unwrap_err().text, "BAD_ARGUMENTS");
        }
        for (offset, length, want, overflow) in [
            (0, 4, "6789", true),
            (0, 10, "0123456789", false),
            (5, 10, "0123456789", false),
            (10, 5, "", false),
            (0, 0, "", true),
            (0, 100, "0123456789", false),
        ] {
            let want = Value::Array(vec![Value::Text(want.into()), Value::Int(10), Value::Bool(overflow)]);
            assert_eq!(tail(file(), offset, length), want, "{offset} {length}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(("/no/such".into(), false), 0, 0).unwrap_err().text, "NO_FILE: /no/such");
        assert_eq!(read((String::new(), false), 0, 0).unwrap_err().text, "NO_FILE");
        assert_eq!(
            tail((String::new(), false), 3, 4),
            Value::Array(vec![Value::Text("".into()), Value::Int(0), Value::Bool(false)])
        );
    }
}
