//! `device_info`: `{"uname": …, "df": …, "free": …, "ipaddrs": …}`, each a text as `uname -a`, `df`, `free` and
//! `hostname -I` show it. A dashboard shows the first three as preformatted text and `ipaddrs` inline. Where they are known, `boot` and
//! `flash` come after them, as objects.

use std::net::IpAddr;

use super::boot::Boots;
use super::{df, flash};
use crate::format::json::{shortened, Json};
use crate::sys::block::Disk;
use crate::sys::host::{self, Memory, Uname};
use crate::sys::mounts::{self, Mounted};
use crate::sys::net;

/// So many characters of `uname` are kept: its fields have at most 64 each.
const MAX_UNAME: usize = 400;
/// So many IP addresses are shown.
const MAX_ADDRESSES: usize = 64;

/// What `device_info` tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFacts {
    /// The kernel and the host name.
    pub uname: Uname,
    /// All mounted file systems; the report leaves out what `df` leaves out.
    pub mounted: Mounted,
    /// The machine's memory; all zero where unknown.
    pub memory: Memory,
    /// All addresses; the report leaves out loopback and link-local ones.
    pub addresses: Vec<IpAddr>,
    /// Why the machine booted.
    pub boots: Option<Boots>,
    /// The disk under the state folder.
    pub disk: Option<Disk>,
}

impl DeviceFacts {
    /// The facts of this machine, but for its boots and its disk. What cannot be learned is logged and left empty: a report without it is better than none.
    #[must_use]
    pub fn gather() -> DeviceFacts {
        let uname = host::uname().unwrap_or_else(|e| missing("the kernel's name", &e));
        let mounted = mounts::file_systems().unwrap_or_else(|e| missing("the mounted file systems", &e));
        let memory = host::memory().unwrap_or_else(|e| missing("the memory", &e));
        let interfaces = net::interfaces().unwrap_or_else(|e| missing("the network interfaces", &e));
        let addresses = interfaces.into_iter().flat_map(|interface| interface.addresses).collect();
        DeviceFacts { uname, mounted, memory, addresses, boots: None, disk: None }
    }
}

fn missing<T: Default>(what: &str, error: &std::io::Error) -> T {
    crate::warning!("cannot read {what} for device_info: {error}");
    T::default()
}

/// The report, at most [`MAX_REPORT`](super::MAX_REPORT) bytes.
#[must_use]
pub fn device_info(facts: &DeviceFacts) -> String {
    let mut json = Json::new();
    json.begin_object();
    json.key("uname");
    json.string(&shortened(&uname_text(&facts.uname), MAX_UNAME));
    json.key("df");
    json.string(&df::text(&facts.mounted));
    json.key("free");
    json.string(&free_text(&facts.memory));
    json.key("ipaddrs");
    json.string(&addresses_text(&facts.addresses));
    if let Some(boots) = &facts.boots {
        json.key("boot");
        boots.write(&mut json);
    }
    if let Some(disk) = &facts.disk {
        json.key("flash");
        flash::write(disk, &mut json);
    }
    json.end_object();
    json.finish()
}

/// `uname -a` without the processor and the platform, which it leaves out where unknown, as it is on gateways.
fn uname_text(uname: &Uname) -> String {
    let operating_system = "GNU/Linux";
    [&*uname.sysname, &uname.nodename, &uname.release, &uname.version, &uname.machine, operating_system].join(" ")
}

/// `free` of procps 4: used is what is not available.
fn free_text(memory: &Memory) -> String {
    let cache = memory.buffers.saturating_add(memory.cached).saturating_add(memory.reclaimable);
    let available = memory.available.unwrap_or(memory.free);
    // A container may be told of more available than there is.
    let available = if available > memory.total { memory.free } else { available };
    let used = memory.total.saturating_sub(available);
    let swap_used = memory.swap_total.saturating_sub(memory.swap_free);

    let mut text = String::new();
    push_row(&mut text, "", &["total", "used", "free", "shared", "buff/cache", "available"].map(String::from));
    text.push('\n');
    let row = [memory.total, used, memory.free, memory.shared, cache, available];
    push_row(&mut text, "Mem:", &row.map(|kb| kb.to_string()));
    text.push('\n');
    push_row(&mut text, "Swap:", &[memory.swap_total, swap_used, memory.swap_free].map(|kb| kb.to_string()));
    text
}

/// A label to the left, cells to the right.
fn push_row(text: &mut String, label: &str, cells: &[String]) {
    const LABEL: usize = 8;
    const CELL: usize = 12;
    text.push_str(label);
    let mut gap = LABEL.saturating_sub(label.len());
    for cell in cells {
        gap += CELL.saturating_sub(cell.len()).max(1);
        text.extend(std::iter::repeat(' ').take(gap));
        text.push_str(cell);
        gap = 0;
    }
}

/// `hostname -I`: the addresses by which others may reach the gateway, with a space between.
fn addresses_text(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().filter(|ip| is_reachable(ip)).map(IpAddr::to_string).collect();
    let mut text = shown.get(..MAX_ADDRESSES).unwrap_or(&shown).join(" ");
    if shown.len() > MAX_ADDRESSES {
        text.push_str(&format!(" ({} more)", shown.len() - MAX_ADDRESSES));
    }
    text
}

fn is_reachable(ip: &IpAddr) -> bool {
    let is_link_local = matches!(ip, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80);
    !ip.is_loopback() && !ip.is_unspecified() && !is_link_local
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::boot::LOST;
    use crate::report::MAX_REPORT;
    use crate::sys::mounts::{FileSystem, Usage};
    use miniserde::Deserialize;
    use std::process::Command;

    #[derive(Deserialize)]
    struct Parsed {
        uname: String,
        df: String,
        free: String,
        ipaddrs: String,
    }

    fn real(program: &str) -> Option<String> {
        let mut words = program.split(' ');
        let output = Command::new(words.next()?).args(words).env("LC_ALL", "C").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim_end().to_string())
    }

    #[test]
    fn a_report_parses_and_holds_the_four_texts() {
        let parsed: Parsed = miniserde::json::from_str(&device_info(&DeviceFacts::gather())).unwrap();
        // Some distributions' `uname -a` says the machine three times; these are the fields that are known everywhere.
        assert_eq!(Some(parsed.uname), real("uname -s -n -r -v -m -o"));
        assert!(parsed.df.starts_with("Filesystem"));
        assert!(parsed.free.contains("\nMem: "));
        if let Some(theirs) = real("hostname -I") {
            assert_eq!(parsed.ipaddrs, theirs);
        }
    }

    #[test]
    fn free_is_laid_out_as_procps_does_it() {
        let memory = Memory {
            total: 24_684_100,
            free: 23_428_504,
            available: Some(24_231_140),
            shared: 8724,
            buffers: 64_284,
            cached: 900_000,
            reclaimable: 100_000,
            swap_total: 2048,
            swap_free: 2000,
        };
        let expected = "               total        used        free      shared  buff/cache   available
Mem:        24684100      452960    23428504        8724     1064284    24231140
Swap:           2048          48        2000";
        assert_eq!(free_text(&memory), expected);
        // An old kernel, and a container's odd answer: what is free counts as available.
        for available in [None, Some(u64::MAX)] {
            let row = free_text(&Memory { total: 100, free: 40, available, ..Memory::default() });
            assert!(
                row.contains("Mem:             100          60          40           0           0          40\n"),
                "{row}"
            );
        }
    }

    #[test]
    fn free_is_that_of_the_real_free_but_for_what_moves() {
        match real("free --version") {
            Some(version) if version.contains("procps-ng 4") => {}
            _ => return crate::sys::tests::announce_skip("needs free of procps 4"),
        }
        let (ours, theirs) = (free_text(&host::memory().unwrap()), real("free").unwrap());
        let cells = |text: &str| -> Vec<Vec<String>> {
            text.lines().map(|line| line.split_whitespace().map(String::from).collect()).collect()
        };
        assert_eq!(ours.lines().map(str::len).collect::<Vec<_>>(), theirs.lines().map(str::len).collect::<Vec<_>>());
        for (our_row, their_row) in cells(&ours).iter().zip(cells(&theirs)) {
            assert_eq!(our_row.len(), their_row.len());
            for (our_cell, their_cell) in our_row.iter().zip(&their_row) {
                match (our_cell.parse::<u64>(), their_cell.parse::<u64>()) {
                    (Ok(ours), Ok(theirs)) => assert!(ours.abs_diff(theirs) < 256 * 1024, "{ours} {theirs}"),
                    _ => assert_eq!(our_cell, their_cell),
                }
            }
        }
        assert_eq!(cells(&ours)[1][1], cells(&theirs)[1][1], "the total does not move");
    }

    #[test]
    fn addresses_are_those_by_which_others_reach_the_gateway() {
        let addresses: Vec<IpAddr> =
            ["127.0.0.1", "10.1.2.3", "::1", "fe80::1", "febf::1", "fd00::2", "2001:db8::1", "169.254.7.7", "0.0.0.0"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        assert_eq!(addresses_text(&addresses), "10.1.2.3 fd00::2 2001:db8::1 169.254.7.7");
        assert_eq!(addresses_text(&[]), "");
    }

    #[test]
    fn the_worst_facts_stay_within_the_limit() {
        let worst = |length: usize| "\u{1}".repeat(length);
        let field = || worst(64);
        let usage = Some(Usage {
            block_size: 1 << 40,
            blocks: u64::MAX,
            free: 0,
            available: 0,
            inodes: 0,
            inodes_available: 0,
        });
        let mount = |i: u64| FileSystem {
            source: "\"".repeat(4096),
            target: "\\".repeat(4096).into(),
            root: "/".into(),
            kind: "ext4".into(),
            device: i,
            usage,
        };
        let address: IpAddr = "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap();
        let facts = DeviceFacts {
            uname: Uname { sysname: field(), nodename: field(), release: field(), version: field(), machine: field() },
            mounted: Mounted { file_systems: (0..512).map(mount).collect(), unseen: 9 },
            memory: Memory { total: u64::MAX, buffers: u64::MAX, cached: u64::MAX, ..Memory::default() },
            addresses: vec![address; 16384],
            boots: Some(Boots {
                boot: field(),
                ended: false,
                why: LOST.into(),
                since: Some(u64::MAX),
                orderly: u32::MAX,
                lost: u32::MAX,
                watchdog: u32::MAX,
                factory_reset: u32::MAX,
                unknown: u32::MAX,
            }),
            disk: Some(Disk {
                name: worst(32),
                life_time: Some("0x00 0x00\n".into()),
                pre_eol_info: Some("0x00\n".into()),
                stat: Some("1 1 1 1 1 1 36028797018963967".into()),
            }),
        };
        let report = device_info(&facts);
        assert!(report.len() <= MAX_REPORT, "{}", report.len());
        let parsed: Parsed = miniserde::json::from_str(&report).unwrap();
        assert!(parsed.df.contains(" more left out)"), "{}", parsed.df);
        assert!(parsed.ipaddrs.ends_with(" (16320 more)"));
    }
}
