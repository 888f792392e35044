//! `after = a b`, an option of our own: which programs a program's start waits for (Supervisor/supervisor 122, 215; davmac314/dinit 397). Names are
//! held against the whole configuration, and turned into the groups and processes that the core knows.

use super::program::{ProcessConfig, StartAfter};
use super::{BadConfiguration, Group, Loader, Note, Strictness};

/// What the core gets: what is waited for, `group` or `group:process`; and the names of which there is nothing.
pub(crate) fn resolved(after: &StartAfter, groups: &[Group]) -> (Vec<String>, Vec<String>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in &after.names {
        let before = found.len();
        for group in groups {
            let is_meant = |process: &&ProcessConfig| is_named(name, group, process);
            let members: Vec<&ProcessConfig> = group.processes.iter().filter(is_meant).collect();
            if members.len() == group.processes.len() && !members.is_empty() {
                found.push(group.name.clone());
            } else {
                found.extend(members.iter().map(|process| [&*group.name, ":", &process.name].concat()));
            }
        }
        if found.len() == before {
            missing.push(name.clone());
        }
    }
    (found, missing)
}

/// A name is a program's, or a whole group's.
fn is_named(name: &str, group: &Group, process: &ProcessConfig) -> bool {
    process.program == name || group.name == name
}

/// Refuses programs that wait for each other in a circle. At boot they are started without waiting, and the log says so: all of them missing
/// would be worse.
pub(super) fn check(loader: &mut Loader, groups: &mut [Group], strictness: Strictness) -> Result<(), BadConfiguration> {
    while let Some(circle) = circle(groups) {
        let text = format!("programs start after each other in a circle: {}", circle.join(" after "));
        if strictness == Strictness::Refuse {
            let section = circle.first().map(|program| ["program:", program].concat()).unwrap_or_default();
            return Err(loader.fault(&section, text));
        }
        loader.notes.push(Note::critical(text + "; none of them waits"));
        for process in groups.iter_mut().flat_map(|group| &mut group.processes) {
            if circle.contains(&process.program) {
                process.after.names.clear();
            }
        }
    }
    Ok(())
}

/// Programs of which each waits for the next, the first once more at the end. What waits for nothing that is left is taken away, round after
/// round; where something stays, following it leads into a circle.
fn circle(groups: &[Group]) -> Option<Vec<String>> {
    let all = || groups.iter().flat_map(|group| &group.processes);
    let waiting_for = |process: &ProcessConfig, left: &[&str]| -> Option<String> {
        let awaited = |name: &String| {
            let mut members = groups.iter().flat_map(|group| group.processes.iter().map(move |one| (group, one)));
            let is_left = |one: &ProcessConfig| left.contains(&one.program.as_str());
            members.find(|(group, one)| is_named(name, group, one) && is_left(one)).map(|(_, one)| one.program.clone())
        };
        process.after.names.iter().find_map(awaited)
    };
    let mut left: Vec<&str> = Vec::new();
    for process in all().filter(|process| !process.after.names.is_empty()) {
        if !left.contains(&process.program.as_str()) {
            left.push(&process.program);
        }
    }
    loop {
        let still =
            |name: &&str| all().any(|process| process.program == **name && waiting_for(process, &left).is_some());
        let next: Vec<&str> = left.iter().copied().filter(still).collect();
        if next.len() == left.len() {
            break;
        }
        left = next;
    }
    let mut way = vec![left.first()?.to_string()];
    loop {
        let last = way.last().cloned().unwrap_or_default();
        let next = all().filter(|process| process.program == last).find_map(|process| waiting_for(process, &left))?;
        let begins = way.iter().position(|name| *name == next);
        way.push(next);
        if let Some(at) = begins {
            return Some(way.split_off(at));
        }
    }
}
