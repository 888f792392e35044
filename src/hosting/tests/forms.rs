//! Bytes: what is written is read again, and what is torn, strange or hostile is no more than refused.

use crate::hosting::definition::{Channel, Configuration, Group, Program, Server, Settings, MAGIC};
use crate::hosting::protocol::{CoreRequest, Refusal, Reply};
use crate::hosting::state::{GroupRecord, Header, ProcessRecord, View};
use crate::hosting::wire::{texts, FieldSink, Reader};
use crate::hosting::{events, spawn_error};

#[derive(Default)]
struct Out(Vec<u8>);

impl FieldSink for Out {
    fn put(&mut self, bytes: &[u8]) -> bool {
        self.0.extend_from_slice(bytes);
        true
    }
}

fn encoded(write: impl FnOnce(&mut Out) -> bool) -> Vec<u8> {
    let mut out = Out::default();
    assert!(write(&mut out));
    out.0
}

fn configuration() -> Vec<u8> {
    let channel = encoded(|out| Channel { logfile: b"/l", maxbytes: 5 << 30, ..Channel::default() }.encode(out));
    let mut exitcodes = [0; 32];
    exitcodes[0] = 0b101;
    let program = |name: &'static [u8]| {
        let program = Program {
            name,
            argv: b"/bin/x\0a b\0\0",
            environment: b"A=1\0",
            exitcodes,
            uid: -1,
            stdout: &channel,
            ..Program::default()
        };
        encoded(|out| program.encode(out))
    };
    let programs = [program(b"one"), program(b"two")].concat();
    let group = |name: &'static [u8], priority| Group { name, priority, programs: &programs, ..Group::default() };
    let groups = encoded(|out| group(b"a", -1).encode(out) && group(b"b", 999).encode(out));
    let servers = encoded(|out| Server { path: b"/run/s", mode: 0o700, ..Server::default() }.encode(out));
    let settings = Settings { identifier: b"supervisor", servers: &servers, ..Settings::default() };
    let settings = encoded(|out| settings.encode(out));
    let whole = Configuration { magic: MAGIC, settings: &settings, groups: &groups, ..Configuration::default() };
    encoded(|out| whole.encode(out))
}

#[test]
fn a_configuration_is_read_as_it_was_written() {
    let bytes = configuration();
    let read = Configuration::checked(&bytes).unwrap();
    let names: Vec<(&[u8], i32)> = read.all_groups().map(|group| (group.name, group.priority)).collect();
    assert_eq!(names, [(&b"a"[..], -1), (&b"b"[..], 999)]);
    assert_eq!(read.read_settings().unwrap().identifier, b"supervisor");
    let raw = read.raw_group(b"b").unwrap();
    let group = Group::decode(&mut Reader::new(raw)).unwrap();
    let programs: Vec<Program> = group.all_programs().collect();
    assert_eq!(programs[1].name, b"two");
    assert_eq!(texts(programs[1].argv).collect::<Vec<_>>(), [&b"/bin/x"[..], b"a b", b""]);
    assert_eq!(programs[0].read_stdout().maxbytes, 5 << 30);
    assert!(programs[0].expects(0) && !programs[0].expects(1) && programs[0].expects(2) && !programs[0].expects(255));
    assert!(read.raw_group(b"c").is_none());
}

#[test]
fn a_torn_or_changed_configuration_is_refused_or_read_and_nothing_worse() {
    let bytes = configuration();
    for end in 0..bytes.len() {
        assert!(Configuration::checked(&bytes[..end]).is_none(), "{end}");
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            if let Some(read) = Configuration::checked(&changed) {
                assert!(read.all_groups().map(|group| group.all_programs().count()).sum::<usize>() <= 4);
            }
        }
    }
}

#[test]
fn what_an_older_writer_did_not_know_is_empty_and_what_a_newer_one_adds_is_skipped() {
    // A record that ends behind its first field, and one with a field more.
    let older = encoded(|out| out.put(&7_u32.to_le_bytes()) && out.put(&3_u32.to_le_bytes()) && out.put(b"abc"));
    assert_eq!(Group::decode(&mut Reader::new(&older)), Some(Group { name: b"abc", ..Group::default() }));
    let mut newer = encoded(|out| Group { name: b"abc", priority: 5, ..Group::default() }.encode(out));
    let len = newer.len() as u32 - 4 + 9;
    newer[..4].copy_from_slice(&len.to_le_bytes());
    newer.extend_from_slice(b"something");
    let mut reader = Reader::new(&newer);
    assert_eq!(Group::decode(&mut reader).map(|group| group.priority), Some(5));
    assert!(reader.is_empty());
}

#[test]
fn requests_and_replies_survive_the_way() {
    let requests = [
        CoreRequest::Start { id: 1 },
        CoreRequest::Stop { id: u32::MAX },
        CoreRequest::Signal { id: 3, signal: 15 },
        CoreRequest::Stdin { id: 4, bytes: b"\xff\0x" },
        CoreRequest::ClearLogs { id: 5 },
        CoreRequest::ClearMainLog,
        CoreRequest::AddGroup { name: b"app" },
        CoreRequest::RemoveGroup { id: 6 },
        CoreRequest::Configuration,
        CoreRequest::Shutdown,
        CoreRequest::Restart,
        CoreRequest::RemoteEvent { kind: b"k", data: b"" },
        CoreRequest::Log { level: 40, text: b"text" },
        CoreRequest::Watch,
        CoreRequest::Renew { core: b"/x" },
        CoreRequest::ReopenLogs,
    ];
    for request in requests {
        let packet = encoded(|out| request.encode(out));
        assert_eq!(CoreRequest::decode(&packet), Some(request));
        for end in 0..packet.len() {
            assert_eq!(CoreRequest::decode(&packet[..end]), None, "{request:?} torn at {end}");
        }
    }
    assert_eq!(CoreRequest::decode(&99_u32.to_le_bytes()), None);
    let replies = [
        Reply::Done,
        Reply::Refused { why: Refusal::StillRunning, errno: 0 },
        Reply::Written { bytes: 9 },
        Reply::Changed,
    ];
    for reply in replies {
        assert_eq!(Reply::decode(&encoded(|out| reply.encode(out))), Some(reply));
    }
    assert_eq!(Reply::decode(&[1, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0]), None);
}

#[test]
fn the_shared_memory_has_no_holes_and_any_bytes_can_be_looked_at() {
    // A hole would make `read` differ from the memory.
    let header = Header { oom_score: 7, next_look_ms: 1 << 40, ..Header::default() };
    assert_eq!(Header::SIZE % 8 + GroupRecord::SIZE % 8 + ProcessRecord::SIZE % 8, 0);
    assert_eq!((Header::SIZE, GroupRecord::SIZE, ProcessRecord::SIZE), (128, 40, 160));
    assert_ne!(header, Header::default());
    assert!(View::of(b"").is_none());
    let mut bytes = vec![0; 400];
    for (at, value) in [
        (0, crate::hosting::state::MAGIC),
        (4, 1),
        (12, 128),
        (16, 40),
        (20, 160),
        (24, 400),
        (36, 128),
        (40, 9),
        (128, 264),
        (136, 200),
        (140, 4),
        (144, 1),
    ] {
        bytes[at..at + 4].copy_from_slice(&u32::to_ne_bytes(value));
    }
    let view = View::of(&bytes).unwrap();
    let groups: Vec<_> = view.groups().collect();
    assert_eq!((groups.len(), groups[0].definition.len(), groups[0].record.processes), (1, 4, 1));
    assert!(groups[0].process(0).is_some() && groups[0].process(1).is_none());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] = 0xff;
        if let Some(view) = View::of(&changed) {
            view.groups().for_each(|group| assert!(group.process(usize::MAX).is_none()));
        }
    }
}

#[test]
fn names_of_events_and_texts_of_failures_are_supervisords() {
    assert_eq!(events::bits_of("TICK_5").count_ones(), 1);
    assert_eq!(events::bits_of("TICK").count_ones(), 3);
    assert_eq!(events::bits_of("EVENT").count_ones(), 20);
    assert_eq!(events::bits_of("PROCESS_STATE_X") | events::bits_of("") | events::bits_of("TICK_"), 0);
    let mut out = Out::default();
    spawn_error::SpawnError::of(12).text(13, b"n", b"", b"", b"", &mut out);
    assert_eq!(out.0, b"unknown error making dispatchers for 'n': EACCES");
    assert_eq!(spawn_error::Number::of(i32::MIN).digits(), b"-2147483648");
    assert_eq!(spawn_error::Number::of_u64(u64::MAX).digits(), b"18446744073709551615");
}

/// The records of a file, each with its fields in their order.
fn records_of(source: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in source.lines().filter(|line| !line.contains("//")) {
        match line.strip_prefix("    ").and_then(|line| line.strip_suffix(" {")) {
            Some(name) if name.chars().all(char::is_alphanumeric) => found.push((name, Vec::new())),
            _ => found.last_mut().into_iter().for_each(|(_, fields)| {
                fields
                    .extend(line.strip_prefix("        ").filter(|line| !line.starts_with(' ') && line.contains(": ")));
            }),
        }
    }
    found
}

/// So many fields each record has, and the sum over them; who adds some raises the number, and writes the new sum.
const KNOWN: [(&str, usize, u32); 11] = [
    ("Configuration", 3, 0x8269d031),
    ("Settings", 28, 0x0beaeff1),
    ("Server", 10, 0xeda4bd4b),
    ("Zone", 2, 0xf922c1c8),
    ("Note", 2, 0x8dc99b5a),
    ("Group", 15, 0x779cc021),
    ("Program", 34, 0x051e9a23),
    ("Channel", 8, 0x7e27a733),
    ("Header", 27, 0xabc66579),
    ("GroupRecord", 10, 0x7b081156),
    ("ProcessRecord", 32, 0x6a8f1c25),
];

/// A newer core takes over what the older one has in memory, and a newer front end speaks to an older core (docs/hosting.md, "A newer core over the
/// air"): what was there stays where it is, and what comes in is added behind it.
#[test]
fn fields_are_only_added_at_the_end() {
    let sources = [include_str!("../definition.rs"), include_str!("../state.rs")];
    let records: Vec<(&str, Vec<&str>)> = sources.into_iter().flat_map(records_of).collect();
    for (name, count, sum) in KNOWN {
        let (_, fields) = records.iter().find(|(its, _)| *its == name).unwrap();
        let sum_now = crc32fast::hash(fields.get(..count).unwrap_or_default().concat().as_bytes());
        assert_eq!(sum_now, sum, "the first {count} fields of {name} are no more what they were ({sum_now:#010x})");
    }
}
