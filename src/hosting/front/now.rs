//! What is, at one moment: a copy of the core's memory, and processes by their names in it.

use super::fault::{MethodFault, BAD_NAME, FAILED};
use crate::hosting::definition::{Group, Program, Settings};
use crate::hosting::state::{GroupView, ProcessRecord, View, NEVER};
use crate::hosting::table::{State, Wanted};
use crate::hosting::wire::Reader;

/// One moment.
pub(crate) struct Now {
    bytes: Vec<u8>,
}

/// A process as it is.
#[derive(Clone)]
pub(crate) struct Found<'a> {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) record: ProcessRecord,
    pub(crate) program: Program<'a>,
    /// Of its group.
    pub(crate) probe_restarts: u32,
}

impl Found<'_> {
    /// `group:name`, or the name where both are the same.
    pub(crate) fn namespec(&self) -> String {
        namespec(&self.group, &self.name)
    }

    /// Whether its start waits for others: no other process that was never started has a time (`core/after.rs`).
    pub(crate) fn is_waiting(&self) -> bool {
        let record = &self.record;
        record.state == State::Stopped as u32
            && record.starts == 0
            && record.wanted == Wanted::Up as u32
            && record.due_ms != NEVER
    }
}

pub(crate) fn namespec(group: &str, name: &str) -> String {
    if group == name {
        name.to_string()
    } else {
        [group, ":", name].concat()
    }
}

/// The group and the process that a name means; none: the whole group.
pub(crate) fn split_namespec(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((group, "" | "*")) => (group, None),
        Some((group, process)) => (group, Some(process)),
        None => (name, Some(name)),
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Now {
    /// `None`: no such memory.
    pub(crate) fn of(bytes: Vec<u8>) -> Option<Now> {
        View::of(&bytes)?.settings()?;
        Some(Now { bytes })
    }

    fn view(&self) -> Option<View<'_>> {
        View::of(&self.bytes)
    }

    pub(crate) fn mood(&self) -> i32 {
        self.view().map_or(-1, |view| view.header.mood)
    }

    pub(crate) fn pid(&self) -> i32 {
        self.view().map_or(0, |view| view.header.pid)
    }

    pub(crate) fn settings(&self) -> Settings<'_> {
        let bytes = self.view().and_then(|view| view.settings()).unwrap_or_default();
        Settings::decode(&mut Reader::new(bytes)).unwrap_or_default()
    }

    pub(crate) fn groups(&self) -> Vec<(GroupView<'_>, Group<'_>)> {
        let Some(view) = self.view() else { return Vec::new() };
        let decoded = |bytes| Group::decode(&mut Reader::new(bytes));
        view.groups()
            .filter_map(|group| Some((decoded(group.definition)?, group)))
            .map(|(known, group)| (group, known))
            .collect()
    }

    /// In the order of their groups, by priority.
    pub(crate) fn processes(&self) -> Vec<Found<'_>> {
        let mut found = Vec::new();
        for (group, definition) in self.groups() {
            for (index, program) in definition.all_programs().enumerate() {
                found.push(Found {
                    group: text(definition.name),
                    name: text(program.name),
                    record: group.process(index).unwrap_or_default(),
                    program,
                    probe_restarts: group.record.probe_restarts,
                });
            }
        }
        found
    }

    /// The processes that a name means; one, unless it means a whole group.
    pub(crate) fn find(&self, name: &str) -> Result<(Vec<Found<'_>>, bool), MethodFault> {
        let (group, process) = split_namespec(name);
        let unknown = || MethodFault::about(BAD_NAME, name);
        if !self.groups().iter().any(|(_, known)| known.name == group.as_bytes()) {
            return Err(unknown());
        }
        let mut found = self.processes();
        found.retain(|one| one.group == group && process.map_or(true, |process| one.name == process));
        match process {
            Some(_) if found.is_empty() => Err(unknown()),
            process => Ok((found, process.is_none())),
        }
    }

    /// Exactly one process.
    pub(crate) fn find_one(&self, name: &str) -> Result<Found<'_>, MethodFault> {
        let (found, is_group) = self.find(name)?;
        let first = found.into_iter().next().filter(|_| !is_group);
        first.ok_or_else(|| MethodFault::about(BAD_NAME, name))
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<ProcessRecord> {
        self.processes().into_iter().map(|one| one.record).find(|record| record.id == id)
    }
}

/// The core cannot be asked any more.
pub(crate) fn gone() -> MethodFault {
    MethodFault::about(FAILED, "the core does not answer")
}
