//! Lines for the system's log: one message each to /dev/log, and none where nobody listens there.

use super::arch::number;
use super::system::{ask, close};
use super::text::Text;

const PATH: &[u8] = b"/dev/log";
/// Facility user, level info.
const HEAD: &[u8] = b"<14>supervisord: ";
/// As much as any syslogd takes.
const MAX_MESSAGE: usize = 2048;

/// Each line of a text, behind a name.
#[inline(never)]
pub fn lines(name: &[u8], text: &[u8]) {
    let Some(fd) = open() else { return };
    for line in text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n') {
        let between: &[u8] = if name.is_empty() { b"" } else { b" " };
        send(fd, Text::<MAX_MESSAGE>::of(&[HEAD, name, between, line]).bytes());
    }
    close(fd);
}

fn open() -> Option<i32> {
    const AF_UNIX: usize = 1;
    const DATAGRAM: usize = 2;
    const CLOEXEC_NONBLOCK: usize = 0o2004000;
    // SAFETY: no memory.
    unsafe { ask(number::SOCKET, &[AF_UNIX, DATAGRAM | CLOEXEC_NONBLOCK, 0]) }.ok().map(|fd| fd as i32)
}

fn send(fd: i32, message: &[u8]) {
    const NOSIGNAL: usize = 0x4000;
    let mut address = [0_u8; 2 + PATH.len() + 1];
    address[0] = 1;
    address[2..2 + PATH.len()].copy_from_slice(PATH);
    let to = [address.as_ptr() as usize, address.len()];
    let arguments = [fd as usize, message.as_ptr() as usize, message.len(), NOSIGNAL, to[0], to[1]];
    // SAFETY: the message and the address are as long as said. What nobody takes is lost, as ever with syslog.
    let _ = unsafe { ask(number::SENDTO, &arguments) };
}
