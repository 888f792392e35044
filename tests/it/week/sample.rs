//! What a gateway at rest holds: memory, descriptors, threads, children, files, bytes; and whether that is more than on day 1.

use super::machine::Machine;
use gwe_tests::harness::{children_of, number_of, Scratch};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The sleeper is the same 2 kB each time; a page or two of stack and environment may differ.
const ENGINE_SLACK_KB: u64 = 8;
/// What the allocator keeps differs with the order of things, by some 12 kB in the weeks that were tried.
const QUEUE_SLACK_KB: u64 = 48;
/// supervisord is not this project's, and Python's heap settles slowly: alone it grew by 400 kB over 5,000 questions after its
/// processes, by 700 kB over a hundred updates of an app, and then by 1 kB an update.
const SUPERVISORD_SLACK_KB: u64 = 768;
/// The registry remembers at most 64 contents that it does not take again, some 300 bytes each; the rest is rounding to blocks.
const STATE_SLACK: u64 = 64 * 300 + 8 * 1024;
/// One segment of the queue more or less: the end of the log is anywhere in its segment.
const QUEUE_SLACK: u64 = 256 * 1024 + 8 * 1024;
/// The account of requests is 16 kB at the most; the rest of the volatile folder is a few files and folders of a block each.
const MAX_RUN: u64 = 16 * 1024 + 32 * 1024;
/// `stdout_logfile_maxbytes` and `logfile_maxbytes` as shipped, twice: one backup.
const MAX_LOG: u64 = 2 * 200_000;
/// supervisord looks at the size after it has written what it read at once from each pipe.
const LOG_OVERRUN: u64 = 2 * 128 * 1024;
/// Two versions of the agent.
const MAX_AGENTS: u64 = 2;

/// One process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Private dirty, in kB: what it alone costs.
    pub dirty: u64,
    /// Its proportional share of everything, in kB: it also moves with what else runs on the machine.
    pub pss: u64,
    pub descriptors: usize,
    pub threads: usize,
    /// Zombies too.
    pub children: usize,
    pub zombies: usize,
}

impl Held {
    fn of(pid: u32) -> Held {
        let kb = |key| number_of(pid, "smaps_rollup", key).expect("Linux tells it");
        let count = |folder: &str| fs::read_dir(format!("/proc/{pid}/{folder}")).map_or(0, Iterator::count);
        let states = children_of(pid);
        Held {
            dirty: kb("Private_Dirty:"),
            pss: kb("Pss:"),
            descriptors: count("fd"),
            threads: count("task"),
            children: states.len(),
            zombies: states.iter().filter(|state| *state == "Z").count(),
        }
    }

    /// Says where this is more than before.
    fn grew(&self, before: &Held, slack: u64, who: &str, out: &mut Vec<String>) {
        if self.dirty > before.dirty + slack {
            out.push(format!("{who} has {} kB of its own, on day 1 it had {}", self.dirty, before.dirty));
        }
        let counts = |held: &Held| (held.descriptors, held.threads, held.children, held.zombies);
        if counts(self) != counts(before) || self.zombies > 0 {
            out.push(format!(
                "{who}: descriptors, threads, children, zombies {:?}, on day 1 {:?}",
                counts(self),
                counts(before)
            ));
        }
    }
}

/// A gateway at midnight.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    pub engine: Held,
    pub queue: Held,
    pub supervisord: Held,
    /// All but the logs; two slots of an app and the numbers of segments are the same.
    files: BTreeSet<String>,
    /// On the disk, in bytes: what survives, without the two below.
    state: u64,
    queued: u64,
    agents: u64,
    run: u64,
    logs: u64,
    log_files: usize,
}

impl Sample {
    /// Takes it; everything has to be at rest.
    pub fn of(machine: &mut Machine) -> Sample {
        let supervisord = machine.supervisord_pid();
        let root = machine.site.gateway.root();
        let (queued, agents) = (disk_of(root, "var/lib/gwe/queue"), disk_of(root, "var/lib/gwe/apps/gwe"));
        let mut files: Vec<String> = root.tree("");
        let is_log = |path: &str| path.starts_with("var/log/") && !path.ends_with('/');
        let log_files = files.iter().filter(|path| is_log(path)).count();
        files.retain(|path| !is_log(path));
        Sample {
            engine: Held::of(machine.pid("gwe")),
            queue: Held::of(machine.pid("gmq")),
            supervisord: Held::of(supervisord),
            files: files.iter().map(|path| general(path)).collect(),
            state: disk_of(root, "var/lib/gwe") - queued - agents,
            queued,
            agents,
            run: disk_of(root, "run"),
            logs: disk_of(root, "var/log"),
            log_files,
        }
    }

    /// Everything in which this is more than `before`, or more than it may ever be.
    pub fn grew(&self, before: &Sample, agent: u64) -> Vec<String> {
        let mut out = Vec::new();
        self.engine.grew(&before.engine, ENGINE_SLACK_KB, "the engine", &mut out);
        self.queue.grew(&before.queue, QUEUE_SLACK_KB, "gmq", &mut out);
        self.supervisord.grew(&before.supervisord, SUPERVISORD_SLACK_KB, "supervisord", &mut out);
        let new: Vec<_> = self.files.difference(&before.files).collect();
        let gone: Vec<_> = before.files.difference(&self.files).collect();
        if !new.is_empty() || !gone.is_empty() {
            out.push(format!("files that were not there on day 1: {new:?}; that are gone: {gone:?}"));
        }
        for (what, bytes, limit) in [
            ("the state folder", self.state, before.state + STATE_SLACK),
            ("the queue's folder", self.queued, before.queued + QUEUE_SLACK),
            ("the agent's versions", self.agents, MAX_AGENTS * (agent + 64 * 1024)),
            ("the volatile folder", self.run, MAX_RUN),
            ("the logs", self.logs, before.log_files as u64 / 2 * (MAX_LOG + LOG_OVERRUN)),
        ] {
            if bytes > limit {
                out.push(format!("{what} takes {bytes} bytes, the limit is {limit}"));
            }
        }
        if self.log_files > before.log_files {
            out.push(format!("{} logs, on day 1 there were {}", self.log_files, before.log_files));
        }
        out
    }

    /// The head of a table of samples, in Markdown.
    pub fn head() -> String {
        let columns = [
            "day",
            "what",
            "engine kB",
            "gmq kB",
            "supervisord kB",
            "descriptors",
            "threads",
            "children",
            "files",
            "state kB",
            "queue kB",
            "agent kB",
            "run kB",
            "logs kB",
        ];
        format!("| {} |\n|{}", columns.join(" | "), " --- |".repeat(columns.len()))
    }

    /// Its row: of processes private dirty / PSS, then engine, gmq and supervisord.
    pub fn row(&self, day: u32, what: &str) -> String {
        let all = [&self.engine, &self.queue, &self.supervisord];
        let mut row = format!("| {day} | {what} |");
        for held in all {
            let _ = write!(row, " {} / {} |", held.dirty, held.pss);
        }
        for count in [|held: &Held| held.descriptors, |held: &Held| held.threads, |held: &Held| held.children] {
            let _ = write!(row, " {} |", all.map(|held| count(held).to_string()).join(", "));
        }
        let _ = write!(row, " {} |", self.files.len());
        for bytes in [self.state, self.queued, self.agents, self.run, self.logs] {
            let _ = write!(row, " {} |", bytes / 1000);
        }
        row
    }
}

/// A path without what changes from version to version.
fn general(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    if path.starts_with("var/lib/gwe/apps/") && parts.len() > 5 {
        parts[5] = "SLOT";
    }
    if path.starts_with("var/lib/gwe/queue/") && path.ends_with(".seg") {
        return "var/lib/gwe/queue/N.seg".to_string();
    }
    parts.join("/")
}

/// What a folder takes on the disk.
fn disk_of(root: &Scratch, folder: &str) -> u64 {
    let files = root.tree(folder).into_iter().chain([folder.to_string()]);
    files.filter_map(|path| root.path(&path).symlink_metadata().ok()).map(|meta| meta.blocks() * 512).sum()
}

#[test]
fn more_of_anything_is_told() {
    let mut day_1 = Sample { log_files: 2, ..Sample::default() };
    day_1.files.insert("etc/gwe/".to_string());
    assert_eq!(day_1.grew(&day_1, 0), [] as [String; 0]);
    let changes: [fn(&mut Sample); 14] = [
        |sample| sample.engine.dirty += ENGINE_SLACK_KB + 1,
        |sample| sample.queue.dirty += QUEUE_SLACK_KB + 1,
        |sample| sample.supervisord.dirty += SUPERVISORD_SLACK_KB + 1,
        |sample| sample.engine.descriptors += 1,
        |sample| sample.queue.threads += 1,
        |sample| sample.supervisord.children += 1,
        |sample| sample.engine.zombies += 1,
        |sample| sample.files.extend(["var/lib/gwe/stray".to_string()]),
        |sample| sample.files.clear(),
        |sample| sample.state += STATE_SLACK + 1,
        |sample| sample.queued += QUEUE_SLACK + 1,
        |sample| sample.agents += MAX_AGENTS * 64 * 1024 + 1,
        |sample| sample.run += MAX_RUN + 1,
        |sample| sample.log_files += 1,
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut day_2 = day_1.clone();
        change(&mut day_2);
        assert_eq!(day_2.grew(&day_1, 0).len(), 1, "change {index}");
    }
}

#[test]
fn a_slot_and_the_number_of_a_segment_are_nothing_new() {
    assert_eq!(general("var/lib/gwe/apps/meter/b/run.sh"), general("var/lib/gwe/apps/meter/a/run.sh"));
    assert_eq!(general("var/lib/gwe/queue/0000000a.seg"), general("var/lib/gwe/queue/0000001f.seg"));
    assert_ne!(general("var/lib/gwe/queue/0000000a.seg.new"), general("var/lib/gwe/queue/0000000a.seg"));
    assert_ne!(general("var/lib/gwe/apps/meter/"), general("var/lib/gwe/apps/tuning/"));
}
