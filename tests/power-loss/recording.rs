//! A recording: the disk before, the log of all that was done to it, and the facts. A folder, so that it can be kept and
//! checked again.

use super::log::Log;
use super::recorder::Recorder;
use super::sys;
use super::trouble::{Doing, Outcome};
use super::witness::{Fact, Witness, HORIZON};
use super::workload::{Site, Workload};
use serde_json::{json, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// A recording in memory, but for the disk before.
#[derive(Debug)]
pub struct Recording {
    /// Where it is.
    pub folder: PathBuf,
    /// The name of its workload.
    pub workload: String,
    /// Every request to the disk.
    pub log: Log,
    /// What was noted, in order.
    pub facts: Vec<Fact>,
    /// How many requests had been made when the work began, and when it was done: the cuts are from here to there.
    pub work: (usize, usize),
}

impl Recording {
    /// Has a workload do its work on a logged disk.
    pub fn make(workload: &dyn Workload, folder: &Path, site: &Site) -> Outcome<Recording> {
        let notes = notes(folder);
        fs::create_dir_all(&notes).doing("create", &notes)?;
        workload.lay_base(&base(folder), &notes, site)?;
        let image = folder.join("work.img");
        sys::copy_sparse(&base(folder), &image).doing("copy", &image)?;
        let recorder = Recorder::start(&image, &log(folder), site)?;
        let witness = Witness::of(&log(folder))?;
        let began = witness.now();
        workload.work(site.root, &notes, &witness)?;
        let ended = witness.now();
        recorder.finish()?;
        fs::remove_file(&image).doing("remove", &image)?;

        save(folder, workload.name(), (began, ended), &witness.facts())?;
        Recording::open(folder)
    }

    /// Opens a recording that was made before.
    pub fn open(folder: &Path) -> Outcome<Recording> {
        let path = facts(folder);
        let bytes = fs::read(&path).doing("read", &path)?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        let number = |value: &Value| value.as_u64().ok_or(format!("{}: a number is missing", path.display()));
        let entries = value["facts"].as_array().cloned().unwrap_or_default();
        let facts = entries
            .iter()
            .map(|entry| Ok(Fact { at: number(&entry[0])?, text: entry[1].as_str().unwrap_or_default().to_string() }));
        let log = Log::read(&log(folder)).doing("read", &log(folder))?;
        let work = (log.count_at(number(&value["began"])?), log.count_at(number(&value["ended"])?));
        Ok(Recording {
            folder: folder.to_path_buf(),
            workload: value["workload"].as_str().unwrap_or_default().to_string(),
            facts: facts.collect::<Outcome<_>>()?,
            log,
            work,
        })
    }

    /// The disk before.
    pub fn base(&self) -> PathBuf {
        base(&self.folder)
    }

    /// What the workload's checks need to know.
    pub fn notes(&self) -> PathBuf {
        notes(&self.folder)
    }

    /// What was true when the power was cut behind so many requests.
    pub fn past(&self, cut: usize) -> &[Fact] {
        let Some(last) = cut.checked_sub(1).and_then(|last| self.log.requests().get(last)) else {
            return &[];
        };
        let count = self.facts.partition_point(|fact| fact.at <= last.end);
        &self.facts[..count]
    }

    /// Where backdated states end: see [`HORIZON`].
    pub fn horizon(&self) -> usize {
        let noted = self.facts.iter().find(|fact| fact.text == HORIZON);
        noted.map_or(self.work.1, |fact| self.log.count_at(fact.at))
    }

    /// Copies it to where it outlives this process.
    pub fn keep(&self, at: &Path) -> Outcome<()> {
        copy_folder(&self.folder, at)
    }
}

fn base(folder: &Path) -> PathBuf {
    folder.join("base.img")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn facts(folder: &Path) -> PathBuf {
    folder.join("facts.json")
}

fn notes(folder: &Path) -> PathBuf {
    folder.join("notes")
}

fn save(folder: &Path, workload: &str, (began, ended): (u64, u64), noted: &[Fact]) -> Outcome<()> {
    let list: Vec<Value> = noted.iter().map(|fact| json!([fact.at, fact.text])).collect();
    let value = json!({"workload": workload, "began": began, "ended": ended, "facts": list});
    let path = facts(folder);
    fs::write(&path, value.to_string()).doing("write", &path)
}

/// Copies a folder and all in it.
pub fn copy_folder(from: &Path, to: &Path) -> Outcome<()> {
    fs::create_dir_all(to).doing("create", to)?;
    for entry in fs::read_dir(from).doing("read", from)? {
        let entry = entry.doing("read", from)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().doing("look at", &path)?;
        if kind.is_dir() {
            copy_folder(&path, &target)?;
        } else if kind.is_file() {
            sys::copy_sparse(&path, &target).doing("copy", &path)?;
        }
    }
    Ok(())
}
