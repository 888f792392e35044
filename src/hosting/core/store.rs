//! The shared memory from the side of the one who writes it: made from a configuration, groups added at its end and taken out of it.
//!
//! Places are offsets, never addresses: the memory moves when it grows. No slice or record is kept over an addition or removal.

use super::definition::{Configuration, Group, Program, Settings};
use super::memory::{memory_file, set_size, Mapping};
use super::own::FD_STATE;
use super::state::{GroupRecord, Header, ProcessRecord, LAYOUT, MAGIC, MAX_STATE, NEVER};
use super::system::{move_to, pid, SysResult, Path, EINVAL, ENOMEM};
use super::wire::Reader;

/// A process: where its group begins, and which of it.
#[derive(Clone, Copy, PartialEq)]
pub struct Place {
    pub group: usize,
    pub index: usize,
}

pub struct SharedMemory {
    piece: Mapping,
}

impl SharedMemory {
    /// Of a configuration that was checked; all its groups are in it, and nothing runs.
    pub fn build(configuration: &Configuration<'_>) -> SysResult<SharedMemory> {
        let fd = memory_file(Path::of(b"gwe-hosting\0").ok_or(EINVAL)?)?;
        move_to(fd, FD_STATE)?;
        let settings = configuration.settings;
        let first_group_at = aligned(Header::SIZE + settings.len());
        set_size(FD_STATE, first_group_at)?;
        let store = SharedMemory { piece: Mapping::shared(FD_STATE, first_group_at)? };
        set_size(FD_STATE, store.piece.size())?;
        *store.header() = Header {
            magic: MAGIC,
            layout: LAYOUT,
            header_size: Header::SIZE as u32,
            group_size: GroupRecord::SIZE as u32,
            process_size: ProcessRecord::SIZE as u32,
            used: first_group_at as u32,
            settings_at: Header::SIZE as u32,
            settings_len: settings.len() as u32,
            first_group_at: first_group_at as u32,
            mood: 1,
            pid: pid(),
            next_id: 1,
            signals_fd: -1,
            log_fd: -1,
            watchdog_fd: -1,
            ..Header::default()
        };
        if let Some(place) = store.piece.bytes_mut().get_mut(Header::SIZE..Header::SIZE + settings.len()) {
            place.copy_from_slice(settings);
        }
        Ok(store)
    }

    /// The memory that another core left, in its form.
    pub fn adopt(size: usize) -> SysResult<SharedMemory> {
        Ok(SharedMemory { piece: Mapping::shared(FD_STATE, size)? })
    }

    pub fn release(&mut self) {
        core::mem::replace(&mut self.piece, Mapping::NONE).drop();
    }

    pub fn header<'a>(&self) -> &'a mut Header {
        match self.piece.record(0) {
            Some(header) => header,
            None => super::renew::after_a_fault(),
        }
    }

    pub fn settings<'a>(&self) -> Settings<'a> {
        let header = self.header();
        let at = header.settings_at as usize;
        let bytes = self.piece.bytes().get(at..at + header.settings_len as usize).unwrap_or(&[]);
        Settings::decode(&mut Reader::new(bytes)).unwrap_or_default()
    }

    /// Before and after what a front end must not see half done.
    pub fn changing<T>(&self, change: impl FnOnce() -> T) -> T {
        self.header().sequence |= 1;
        core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
        let done = change();
        core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
        self.header().sequence = self.header().sequence.wrapping_add(1) & !1;
        done
    }

    /// Where groups begin, in the order they came.
    pub fn groups(&self) -> Groups<'_> {
        let header = self.header();
        Groups { store: self, at: header.first_group_at as usize, left: header.groups }
    }

    pub fn group<'a>(&self, at: usize) -> Option<&'a mut GroupRecord> {
        self.piece.record(at)
    }

    pub fn definition<'a>(&self, at: usize) -> Option<Group<'a>> {
        let record = self.group(at)?;
        let from = at.checked_add(record.definition_at as usize)?;
        let bytes = self.piece.bytes().get(from..from.checked_add(record.definition_len as usize)?)?;
        Group::decode(&mut Reader::new(bytes))
    }

    pub fn process<'a>(&self, place: Place) -> Option<&'a mut ProcessRecord> {
        let group = self.group(place.group)?;
        if place.index >= group.processes as usize {
            return None;
        }
        self.piece.record(place.group + GroupRecord::SIZE + place.index * ProcessRecord::SIZE)
    }

    pub fn program<'a>(&self, place: Place) -> Option<(Group<'a>, Program<'a>)> {
        let group = self.definition(place.group)?;
        let program = group.all_programs().nth(place.index)?;
        Some((group, program))
    }

    pub fn processes(&self) -> Processes<'_> {
        let mut groups = self.groups();
        let first = groups.next();
        Processes { groups, place: Place { group: first.unwrap_or(0), index: 0 }, has_group: first.is_some() }
    }

    pub fn find(&self, is_meant: impl Fn(&ProcessRecord) -> bool) -> Option<Place> {
        self.processes().find(|place| self.process(*place).is_some_and(|process| is_meant(process)))
    }

    pub fn find_group(&self, name: &[u8]) -> Option<usize> {
        self.groups().find(|at| self.definition(*at).is_some_and(|group| group.name == name))
    }

    /// A group at the end, as its definition says; nothing of it runs.
    pub fn add(&mut self, raw: &[u8]) -> SysResult<usize> {
        let group = Group::decode(&mut Reader::new(raw)).ok_or(EINVAL)?;
        let count = group.all_programs().count();
        let at = self.header().used as usize;
        let definition_at = GroupRecord::SIZE + count * ProcessRecord::SIZE;
        let size = aligned(definition_at + raw.len());
        if at + size > MAX_STATE {
            return Err(ENOMEM);
        }
        if at + size > self.piece.size() {
            self.piece.resize(at + size)?;
            // The file as large as the map: the front end reads the file.
            set_size(FD_STATE, self.piece.size())?;
        }
        let header = self.header();
        self.changing(|| {
            if let Some(place) = self.piece.bytes_mut().get_mut(at + definition_at..at + definition_at + raw.len()) {
                place.copy_from_slice(raw);
            }
            if let Some(record) = self.piece.record::<GroupRecord>(at) {
                *record = GroupRecord {
                    size: size as u32,
                    id: take_id(header),
                    definition_at: definition_at as u32,
                    definition_len: raw.len() as u32,
                    processes: count as u32,
                    priority: group.priority,
                    kind: group.kind,
                    socket_fd: -1,
                    pool_serial: 0,
                    probe_restarts: 0,
                };
            }
            for index in 0..count {
                if let Some(process) = self.process(Place { group: at, index }) {
                    *process = fresh(take_id(header));
                }
            }
            header.groups += 1;
            header.used = (at + size) as u32;
            header.changes = header.changes.wrapping_add(1);
        });
        Ok(at)
    }

    /// Takes a group out; what stands behind it moves up.
    pub fn remove(&mut self, at: usize) {
        let (Some(size), header) = (self.group(at).map(|group| group.size as usize), self.header()) else { return };
        self.changing(|| {
            let used = header.used as usize;
            self.piece.bytes_mut().copy_within(at + size..used, at);
            header.used = (used - size) as u32;
            header.groups -= 1;
            header.changes = header.changes.wrapping_add(1);
        });
        // A memory that does not shrink is larger than it need be, and no more.
        let wanted = header.used as usize;
        if self.piece.resize(wanted).is_ok() {
            let _ = set_size(FD_STATE, self.piece.size());
        }
    }
}

fn take_id(header: &mut Header) -> u32 {
    let id = header.next_id;
    header.next_id = id.wrapping_add(1).max(1);
    id
}

/// A process that was never started.
pub fn fresh(id: u32) -> ProcessRecord {
    ProcessRecord {
        due_ms: NEVER,
        id,
        stdin_fd: -1,
        stdout_fd: -1,
        stderr_fd: -1,
        stdout_log_fd: -1,
        stderr_log_fd: -1,
        ..ProcessRecord::default()
    }
}

fn aligned(size: usize) -> usize {
    (size + 7) & !7
}

pub struct Groups<'a> {
    store: &'a SharedMemory,
    at: usize,
    left: u32,
}

impl Iterator for Groups<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let at = self.at;
        self.at += self.store.group(at)?.size as usize;
        Some(at)
    }
}

pub struct Processes<'a> {
    groups: Groups<'a>,
    place: Place,
    has_group: bool,
}

impl Iterator for Processes<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        while self.has_group {
            let place = self.place;
            let count = self.groups.store.group(place.group).map_or(0, |group| group.processes as usize);
            if place.index < count {
                self.place.index += 1;
                return Some(place);
            }
            let next = self.groups.next();
            self.has_group = next.is_some();
            self.place = Place { group: next.unwrap_or(0), index: 0 };
        }
        None
    }
}
