//! Facts about this machine, from uname(2) and /proc. This module never starts a program and never waits for one.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};

use super::file::FIRST_READ;

/// So much of a file of /proc is read; the rest is not looked at.
const MAX_PROC_FILE: u64 = 64 * 1024;

/// What uname(2) says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uname {
    /// `Linux`
    pub sysname: String,
    /// The host name.
    pub nodename: String,
    /// `6.1.0-18-amd64`
    pub release: String,
    /// `#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)`
    pub version: String,
    /// `x86_64`
    pub machine: String,
}

/// What os-release says of the image; empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsRelease {
    /// `PRETTY_NAME`
    pub name: String,
    /// `VERSION_ID`
    pub version: String,
}

/// Reads an os-release file; one that is not there says nothing.
#[must_use]
pub fn os_release(path: &std::path::Path) -> OsRelease {
    let bytes = super::file::read(path, MAX_PROC_FILE).ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim().trim_matches(['"', '\'']).to_string()
    };
    OsRelease { name: value("PRETTY_NAME"), version: value("VERSION_ID") }
}

/// What /proc/meminfo says, in units of 1024 bytes; what it does not mention is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// `MemTotal`
    pub total: u64,
    /// `MemFree`
    pub free: u64,
    /// `MemAvailable`; `None` before Linux 3.14.
    pub available: Option<u64>,
    /// `Shmem`
    pub shared: u64,
    /// `Buffers`
    pub buffers: u64,
    /// `Cached`
    pub cached: u64,
    /// `SReclaimable`
    pub reclaimable: u64,
    /// `SwapTotal`
    pub swap_total: u64,
    /// `SwapFree`
    pub swap_free: u64,
}

/// The kernel's name, version and machine, and the host name.
///
/// # Errors
/// What uname(2) said: practically none.
pub fn uname() -> io::Result<Uname> {
    // SAFETY: a utsname is arrays of characters, so all zeros is a valid one.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is a valid utsname, which the call fills in.
    if unsafe { libc::uname(&mut name) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Uname {
        sysname: text(&name.sysname),
        nodename: text(&name.nodename),
        release: text(&name.release),
        version: text(&name.version),
        machine: text(&name.machine),
    })
}

/// The host name; empty where there is none.
#[must_use]
pub fn hostname() -> String {
    uname().map(|name| name.nodename).unwrap_or_default()
}

/// How the machine's memory is used.
///
/// # Errors
/// /proc is not mounted, or not readable.
pub fn memory() -> io::Result<Memory> {
    Ok(parse_memory(&String::from_utf8_lossy(&read_start("/proc/meminfo", MAX_PROC_FILE)?)))
}

/// The kernel's id of this boot: another after each boot. `None` where /proc does not tell.
#[must_use]
pub fn boot_id() -> Option<String> {
    let bytes = read_start("/proc/sys/kernel/random/boot_id", 64).ok()?;
    let id = String::from_utf8(bytes).ok()?.trim().to_string();
    (!id.is_empty()).then_some(id)
}

/// The first `limit` bytes of a file. Files of /proc have no length to ask for, and may hold anything that a user mounted
/// or named.
pub(super) fn read_start(path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(FIRST_READ);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse_memory(text: &str) -> Memory {
    let mut memory = Memory::default();
    for line in text.lines() {
        let Some((key, rest)) = line.split_once(':') else { continue };
        let Some(kb) = rest.split_whitespace().next().and_then(|number| number.parse().ok()) else { continue };
        match key {
            "MemTotal" => memory.total = kb,
            "MemFree" => memory.free = kb,
            "MemAvailable" => memory.available = Some(kb),
            "Shmem" => memory.shared = kb,
            "Buffers" => memory.buffers = kb,
            "Cached" => memory.cached = kb,
            "SReclaimable" => memory.reclaimable = kb,
            "SwapTotal" => memory.swap_total = kb,
            "SwapFree" => memory.swap_free = kb,
            _ => {}
        }
    }
    memory
}

/// The text of a field of a utsname: up to its NUL, which a field as long as its array may lack.
fn text(field: &[libc::c_char]) -> String {
    let bytes: Vec<u8> = field.iter().map(|c| *c as u8).chain([0]).collect();
    CStr::from_bytes_until_nul(&bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uname_agrees_with_the_kernel() {
        let name = uname().unwrap();
        let kernel =
            |file: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap().trim().to_string();
        assert_eq!(name.sysname, kernel("ostype"));
        assert_eq!(name.nodename, kernel("hostname"));
        assert_eq!(name.release, kernel("osrelease"));
        assert_eq!(name.version, kernel("version"));
        assert!(!name.machine.is_empty());
        assert_eq!(hostname(), name.nodename);
    }

    #[test]
    fn a_field_without_its_nul_is_taken_whole() {
        assert_eq!(text(&[b'a' as libc::c_char, b'b' as libc::c_char]), "ab");
        assert_eq!(text(&[b'a' as libc::c_char, 0, b'b' as libc::c_char]), "a");
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn meminfo_is_read_whatever_is_missing_or_odd() {
        let text = "MemTotal:       24684100 kB\nMemFree: 1 kB\nMemAvailable:\t2 kB\nBuffers:\nCached: -7 kB\nno colon\nSwapTotal: 9\n";
        let expected = Memory { total: 24_684_100, free: 1, available: Some(2), swap_total: 9, ..Memory::default() };
        assert_eq!(parse_memory(text), expected);
        assert_eq!(parse_memory(""), Memory::default());
    }

    #[test]
    fn this_machine_has_memory_and_a_boot() {
        let memory = memory().unwrap();
        assert!(memory.total > memory.free && memory.free > 0);
        assert_eq!(boot_id().unwrap().len(), 36);
    }

    #[test]
    fn no_more_is_read_than_the_limit() {
        assert_eq!(read_start("/proc/meminfo", 8).unwrap(), b"MemTotal");
        assert!(read_start("/proc/none", 8).is_err());
    }
}
