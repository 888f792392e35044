//! Users and groups by the files of this machine: no name service of another kind is asked.

use std::path::Path;

use super::file;

/// Names, numbers, first groups and homes.
pub const USERS: &str = "/etc/passwd";
/// Names, numbers and members.
pub const GROUPS: &str = "/etc/group";
/// The largest such file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// One of the two as it stands; empty where it cannot be read.
#[must_use]
pub fn read(path: &str) -> String {
    let bytes = file::read(Path::new(path), MAX_FILE).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Its lines, in their fields.
pub fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

/// The first line of this number or, where there is none to look for, of this name.
#[must_use]
pub fn line<'a>(text: &'a str, name: &str, number: Option<i64>) -> Option<Vec<&'a str>> {
    let is_meant = |fields: &Vec<&str>| match number {
        Some(number) => fields.get(2).and_then(|id| id.parse().ok()) == Some(number),
        None => !name.is_empty() && fields.first() == Some(&name),
    };
    lines(text).find(is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_is_meant() {
        let text =
            "root:x:0:0::/:/bin/sh\nbad:x\n:x:7:7::/:\napp:x:1000:1000::/srv/app:/bin/false\nagain:x:1000:1::/a:\n";
        for (name, number, home) in [
            ("app", None, Some("/srv/app")),
            ("", Some(1000), Some("/srv/app")),
            ("app", Some(0), Some("/")),
            ("bad", None, None),
            ("", None, None),
            ("none", None, None),
            ("root", Some(77), None),
        ] {
            let found = line(text, name, number);
            assert_eq!(found.and_then(|fields| fields.get(5).copied()), home, "{name} {number:?}");
        }
        assert!(!read(USERS).is_empty() && read("/no/such/file").is_empty());
    }
}
