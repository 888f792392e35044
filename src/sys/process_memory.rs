//! How much memory an app uses: its process and all that it started, from one pass over /proc.
//!
//! An app's processes are the one that supervisord started, its descendants, and all in its process group (supervisord makes
//! each program the leader of one): a child that outlived its parent is still of the group, one with a group of its own is
//! still a descendant. Only one that left both is not counted. Pages that several of them share are counted for each, as
//! `ps` and `top` do.

use std::fs;
use std::io;

use super::host::read_start;

/// So many processes are looked at.
pub const MAX_PROCESSES: usize = 4096;
/// More than the kernel ever writes into `/proc/PID/stat`.
const MAX_STAT: u64 = 2048;

/// The processes of this machine at one moment.
#[derive(Clone, Debug, Default)]
pub struct ProcessTable {
    rows: Vec<MemoryRow>,
    page_size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MemoryRow {
    pid: u32,
    parent: u32,
    group: u32,
    resident_pages: u64,
}

impl ProcessTable {
    /// Reads /proc. A process that ends meanwhile is left out.
    ///
    /// # Errors
    /// /proc is not mounted, or not readable.
    pub fn read() -> io::Result<ProcessTable> {
        let mut rows = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let Ok(stat) = read_start(&format!("/proc/{pid}/stat"), MAX_STAT) else { continue };
            rows.extend(parse_stat(pid, &stat));
            if rows.len() == MAX_PROCESSES {
                break;
            }
        }
        Ok(ProcessTable { rows, page_size: page_size() })
    }

    /// Memory in use by the app whose first process is `pid`, in units of 1024 bytes; `None` where there is no such process.
    #[must_use]
    pub fn rss_kb(&self, pid: u32) -> Option<u64> {
        self.rows.iter().find(|row| row.pid == pid)?;
        let mut is_member: Vec<bool> = self.rows.iter().map(|row| row.pid == pid || row.group == pid).collect();
        // Each turn goes one generation down. No process is twice in a generation, so there is an end.
        let mut generation: Vec<u32> =
            self.rows.iter().zip(&is_member).filter(|(_, is)| **is).map(|(row, _)| row.pid).collect();
        while !generation.is_empty() {
            let mut next = Vec::new();
            for (row, is) in self.rows.iter().zip(&mut is_member) {
                if !*is && generation.contains(&row.parent) {
                    *is = true;
                    next.push(row.pid);
                }
            }
            generation = next;
        }
        let pages: u64 =
            self.rows.iter().zip(&is_member).filter(|(_, is)| **is).map(|(row, _)| row.resident_pages).sum();
        Some(pages.saturating_mul(self.page_size) / 1024)
    }
}

/// `PID (name) state parent group …`, resident pages as the 24th (proc(5)). The name may hold spaces and brackets.
fn parse_stat(pid: u32, stat: &[u8]) -> Option<MemoryRow> {
    let text = String::from_utf8_lossy(stat);
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let resident_pages = fields.nth(18)?.parse().ok()?;
    Some(MemoryRow { pid, parent, group, resident_pages })
}

fn page_size() -> u64 {
    // SAFETY: a call without arguments that only returns a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_past_any_name() {
        let tail = "S 1 578 578 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 99 1000000 321 18446744073709551615";
        let expected = Some(MemoryRow { pid: 578, parent: 1, group: 578, resident_pages: 321 });
        assert_eq!(parse_stat(578, format!("578 (gwe) {tail}").as_bytes()), expected);
        assert_eq!(parse_stat(578, format!("578 (a) b) S 9 9 9) {tail}").as_bytes()), expected);
        for torn in ["", "578", "578 (gwe", "578 (gwe) S", "578 (gwe) S 1 578 578 0 -1", "578 (gwe) S x y"] {
            assert_eq!(parse_stat(578, torn.as_bytes()), None, "{torn}");
        }
    }

    #[test]
    fn an_app_is_its_descendants_and_its_group_and_nobody_else() {
        let row = |pid, parent, group, resident_pages| MemoryRow { pid, parent, group, resident_pages };
        let table = ProcessTable {
            page_size: 4096,
            rows: vec![
                row(1, 0, 1, 1_000_000),
                row(13, 12, 13, 8), // a grandchild with a group of its own, listed before its parent
                row(12, 10, 10, 4),
                row(10, 5, 10, 1),
                row(14, 1, 10, 16), // outlived its parent
                row(5, 1, 5, 32),   // supervisord
                row(20, 5, 20, 64), // another app
                row(40, 41, 40, 128),
                row(41, 40, 41, 256), // a ring cannot be, and must not hang
            ],
        };
        assert_eq!(table.rss_kb(10), Some((1 + 4 + 8 + 16) * 4));
        assert_eq!(table.rss_kb(20), Some(64 * 4));
        assert_eq!(table.rss_kb(5), Some((32 + 64 + 1 + 4 + 8) * 4));
        assert_eq!(table.rss_kb(40), Some((128 + 256) * 4));
        assert_eq!(table.rss_kb(99), None);
        assert_eq!(ProcessTable::default().rss_kb(0), None);
    }

    #[test]
    fn this_process_has_about_what_the_kernel_says() {
        let table = ProcessTable::read().unwrap();
        let own = table.rows.iter().find(|row| row.pid == std::process::id()).unwrap();
        let own_kb = own.resident_pages * table.page_size / 1024;
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kernel_kb: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(own_kb.abs_diff(kernel_kb) < 4096, "{own_kb} {kernel_kb}");
        assert!(table.rss_kb(std::process::id()).unwrap() >= own_kb);
    }
}
