//! The shared memory as a core lays it out that has started nothing yet: for who plays the core, a unit test or a fuzz target. The core itself
//! writes it in place (`core/store.rs`).

use super::definition::{Configuration, Group};
use super::state::{GroupRecord, Header, ProcessRecord, LAYOUT, MAGIC, NEVER};
use super::wire::Reader;

/// Of a configuration; `None` where that is none. Processes have the numbers 2, 3 … behind their group's.
#[must_use]
pub fn of(configuration: &[u8]) -> Option<Vec<u8>> {
    let configuration = Configuration::checked(configuration)?;
    let mut image = vec![0; Header::SIZE];
    image.extend(configuration.settings);
    pad(&mut image);
    let first_group_at = image.len();
    let mut next_id = 1;
    let mut groups = 0;
    for group in configuration.all_groups() {
        add(&mut image, configuration.raw_group(group.name)?, &mut next_id)?;
        groups += 1;
    }
    let header = Header {
        magic: MAGIC,
        layout: LAYOUT,
        header_size: size(Header::SIZE)?,
        group_size: size(GroupRecord::SIZE)?,
        process_size: size(ProcessRecord::SIZE)?,
        used: size(image.len())?,
        settings_at: size(Header::SIZE)?,
        settings_len: size(configuration.settings.len())?,
        first_group_at: size(first_group_at)?,
        groups,
        mood: 1,
        pid: 1,
        next_id,
        ..Header::default()
    };
    header.put(&mut image);
    Some(image)
}

fn size(size: usize) -> Option<u32> {
    u32::try_from(size).ok()
}

fn pad(image: &mut Vec<u8>) {
    image.resize((image.len() + 7) & !7, 0);
}

fn add(image: &mut Vec<u8>, raw: &[u8], next_id: &mut u32) -> Option<()> {
    let group = Group::decode(&mut Reader::new(raw))?;
    let at = image.len();
    let processes = group.all_programs().count();
    let definition_at = GroupRecord::SIZE + processes * ProcessRecord::SIZE;
    image.resize(at + definition_at, 0);
    image.extend(raw);
    pad(image);
    let record = GroupRecord {
        size: size(image.len() - at)?,
        id: *next_id,
        definition_at: size(definition_at)?,
        definition_len: size(raw.len())?,
        processes: size(processes)?,
        priority: group.priority,
        kind: group.kind,
        socket_fd: -1,
        ..GroupRecord::default()
    };
    record.put(image.get_mut(at..)?);
    *next_id += 1;
    for index in 0..processes {
        let process = ProcessRecord { id: *next_id, due_ms: NEVER, ..ProcessRecord::default() };
        process.put(image.get_mut(at + GroupRecord::SIZE + index * ProcessRecord::SIZE..)?);
        *next_id += 1;
    }
    Some(())
}

/// Changes the process of this number. Whether there is one.
pub fn change(image: &mut [u8], id: u32, act: impl FnOnce(&mut ProcessRecord)) -> bool {
    let header = Header::read(image);
    let mut at = header.first_group_at as usize;
    for _ in 0..header.groups {
        let group = GroupRecord::read(image.get(at..).unwrap_or_default());
        for index in 0..group.processes as usize {
            let place = image.get_mut(at + GroupRecord::SIZE + index * ProcessRecord::SIZE..).unwrap_or_default();
            let mut process = ProcessRecord::read(place);
            if process.id == id {
                act(&mut process);
                process.put(place);
                return true;
            }
        }
        at += group.size as usize;
    }
    false
}
