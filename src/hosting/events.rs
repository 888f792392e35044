//! The events that a listener can ask for, by their names: a bit each, and the names that stand for several.

/// What can happen; its place is its bit in `definition::Group::events`.
pub const EVENTS: [&str; 22] = [
    "PROCESS_STATE_STOPPED",
    "PROCESS_STATE_STARTING",
    "PROCESS_STATE_RUNNING",
    "PROCESS_STATE_BACKOFF",
    "PROCESS_STATE_STOPPING",
    "PROCESS_STATE_EXITED",
    "PROCESS_STATE_FATAL",
    "PROCESS_STATE_UNKNOWN",
    "PROCESS_LOG_STDOUT",
    "PROCESS_LOG_STDERR",
    "PROCESS_COMMUNICATION_STDOUT",
    "PROCESS_COMMUNICATION_STDERR",
    "REMOTE_COMMUNICATION",
    "SUPERVISOR_STATE_CHANGE_RUNNING",
    "SUPERVISOR_STATE_CHANGE_STOPPING",
    "TICK_5",
    "TICK_60",
    "TICK_3600",
    "PROCESS_GROUP_ADDED",
    "PROCESS_GROUP_REMOVED",
    "",
    "",
];

/// Names for several, each with the beginning of theirs.
const FAMILIES: [(&str, &str); 7] = [
    ("EVENT", ""),
    ("PROCESS_STATE", "PROCESS_STATE_"),
    ("PROCESS_LOG", "PROCESS_LOG_"),
    ("PROCESS_COMMUNICATION", "PROCESS_COMMUNICATION_"),
    ("SUPERVISOR_STATE_CHANGE", "SUPERVISOR_STATE_CHANGE_"),
    ("TICK", "TICK_"),
    ("PROCESS_GROUP", "PROCESS_GROUP_"),
];

/// The bits of a name in capitals; 0: there is no such event.
pub fn bits_of(name: &str) -> u64 {
    let family = FAMILIES.iter().find(|(known, _)| *known == name).map(|(_, start)| *start);
    let mut bits = 0;
    for (bit, event) in EVENTS.iter().enumerate().filter(|(_, event)| !event.is_empty()) {
        let is_meant = match family {
            Some(start) => event.starts_with(start),
            None => *event == name,
        };
        bits |= u64::from(is_meant) << bit;
    }
    bits
}
