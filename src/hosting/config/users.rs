//! Users and groups as configurations name them, and what `~` stands for.

use crate::format::python::int;
use crate::sys::accounts::{self, GROUPS, USERS};

/// Who a program runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// His number.
    pub uid: u32,
    /// His first group.
    pub gid: u32,
    /// All his groups, the first one first.
    pub groups: Vec<u32>,
    home: String,
}

/// The user of this name or number.
///
/// # Errors
/// There is none.
pub(super) fn user(text: &str) -> Result<User, String> {
    let number = int(text, 10);
    let users = accounts::read(USERS);
    let found = accounts::line(&users, text, number).and_then(|fields| {
        let (name, uid, gid) = (fields.first()?, fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        let mut groups = vec![gid];
        for fields in accounts::lines(&accounts::read(GROUPS)) {
            let is_member = fields.get(3).is_some_and(|members| members.split(',').any(|member| member == *name));
            groups.extend(fields.get(2).filter(|_| is_member).and_then(|id| id.parse::<u32>().ok()));
        }
        Some(User { uid, gid, groups, home: fields.get(5).unwrap_or(&"/").to_string() })
    });
    let what = if number.is_some() { "id" } else { "name" };
    found.ok_or_else(|| format!("Invalid user {what} {text}"))
}

fn group(text: &str) -> Option<u32> {
    accounts::line(&accounts::read(GROUPS), text, int(text, 10))?.get(2)?.parse().ok()
}

/// `user` or `user:group` as numbers.
pub(super) fn user_and_group(text: &str) -> Option<(u32, Option<u32>)> {
    match text.split_once(':') {
        None => Some((user(text).ok()?.uid, None)),
        Some((name, of)) => Some((user(name).ok()?.uid, Some(group(of)?))),
    }
}

/// `~` and `~user` at the beginning of a path, as a shell writes them.
pub(super) fn with_home(path: &str) -> String {
    let Some(rest) = path.strip_prefix('~') else { return path.to_string() };
    let (name, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = match name {
        "" => std::env::var("HOME").ok().or_else(|| Some(user("0").ok()?.home)),
        name if int(name, 10).is_some() => None,
        name => user(name).ok().map(|user| user.home),
    };
    match home {
        Some(home) => {
            let whole = [home.trim_end_matches('/'), rest].concat();
            if whole.is_empty() {
                "/".to_string()
            } else {
                whole
            }
        }
        None => path.to_string(),
    }
}

/// The path from the root, without `.`, `..` and doubled slashes; a relative one is meant from `base`.
#[must_use]
pub fn absolute(path: &str, base: &str) -> String {
    let whole = if path.starts_with('/') { path.to_string() } else { [base, "/", path].concat() };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    ["/", &parts.join("/")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_whole() {
        for (path, want) in
            [("a", "/b/a"), ("/x//y/../z/.", "/x/z"), ("../..", "/"), ("", "/b"), ("/", "/"), ("/../a", "/a")]
        {
            assert_eq!(absolute(path, "/b"), want);
        }
        assert_eq!(with_home("~nobody-of-this-name/x"), "~nobody-of-this-name/x");
        assert_eq!(with_home("a~/x"), "a~/x");
    }

    #[test]
    fn root_is_known_by_name_and_number() {
        for text in ["root", "0", " 0 "] {
            let user = user(text).unwrap();
            assert_eq!((user.uid, user.gid, user.groups[0]), (0, 0, 0));
        }
        assert_eq!(user("no-such-user").unwrap_err(), "Invalid user name no-such-user");
        assert_eq!(user("99999999").unwrap_err(), "Invalid user id 99999999");
        assert_eq!(user_and_group("root:root"), Some((0, Some(0))));
        assert_eq!(user_and_group("root:no-such-group"), None);
    }
}
