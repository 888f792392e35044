//! Where an archive's entry may lie: its path, and what a link may point to. Plain functions on bytes; nothing is written here.
//!
//! The rules keep everything inside the folder that is unpacked into. A path is relative and has no `..`. A symbolic link
//! climbs only at its start (`../lib/x`) and never above the root; since the folder that it lies in is a real one, such a link
//! ends inside wherever it leads, also through other links that keep the same rule.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::fault::Reason;
use super::limits::{MAX_DEPTH, MAX_PATH};

/// The longest single name, in bytes: what Linux file systems take.
const MAX_NAME: usize = 255;

/// What an archive brings beside the app: the companion files that macOS writes beside each file (docs/spec/failures.md, case 06; buf#2504,
/// vespa#32549), and a label of the archive (`tar -V`, case 17). Whoever unpacks it elsewhere does not see them either.
#[must_use]
pub fn is_no_part(raw: &[u8], kind: u8) -> bool {
    const LABEL: u8 = b'V';
    let name = raw.rsplit(|b| *b == b'/').next().unwrap_or_default();
    kind == LABEL || (name.starts_with(b"._") && name.len() > 2)
}

/// The leading folder that a tarball may have; the first entry decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Top {
    /// No entry seen yet.
    Undecided,
    /// Files stand at the root.
    Root,
    /// All lie in `<APP>.v<VERSION>/`, which is taken off.
    Folder,
}

/// An entry's path below the root of the tarball, cleaned of `.` and double slashes. Empty for the root itself.
///
/// # Errors
/// The rule that it breaks.
pub fn path(raw: &[u8]) -> Result<PathBuf, Reason> {
    if raw.is_empty() {
        return Err(Reason::NoName);
    }
    if raw[0] == b'/' {
        return Err(Reason::AbsolutePath);
    }
    if raw.len() > MAX_PATH {
        return Err(Reason::PathTooLong);
    }
    if raw.iter().any(u8::is_ascii_control) {
        return Err(Reason::ControlCharacter);
    }
    let mut path = PathBuf::with_capacity(raw.len());
    let mut depth = 0;
    for name in raw.split(|b| *b == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(Reason::ParentPath),
            _ if name.len() > MAX_NAME => return Err(Reason::PathTooLong),
            _ => {
                path.push(OsStr::from_bytes(name));
                depth += 1;
            }
        }
    }
    if depth > MAX_DEPTH {
        return Err(Reason::TooDeep);
    }
    Ok(path)
}

/// Takes the leading folder off where the tarball has one. `is_folder` is about the entry itself.
///
/// # Errors
/// An entry beside the leading folder.
pub fn below_top(path: &Path, is_folder: bool, top: &mut Top, folder: &str) -> Result<PathBuf, Reason> {
    let rest = path.strip_prefix(folder).ok();
    if *top == Top::Undecided && !path.as_os_str().is_empty() {
        let leads = rest.is_some_and(|rest| is_folder || !rest.as_os_str().is_empty());
        *top = if leads { Top::Folder } else { Top::Root };
    }
    match (*top, rest) {
        (Top::Folder, Some(rest)) => Ok(rest.to_path_buf()),
        (Top::Folder, None) if !path.as_os_str().is_empty() => Err(Reason::OutsideFolder(folder.to_string())),
        _ => Ok(path.to_path_buf()),
    }
}

/// Whether a symbolic link at `path` may point to `target`; how many `..` stand at the target's start.
///
/// # Errors
/// The rule that it breaks.
pub fn symlink_target(path: &Path, target: &[u8]) -> Result<u8, Reason> {
    if target.is_empty() {
        return Err(Reason::NoTarget);
    }
    if target[0] == b'/' {
        return Err(Reason::AbsoluteTarget);
    }
    if target.len() > MAX_PATH {
        return Err(Reason::PathTooLong);
    }
    if target.iter().any(u8::is_ascii_control) {
        return Err(Reason::ControlCharacter);
    }
    let depth = path.components().count().saturating_sub(1);
    let (mut above, mut descending) = (depth, false);
    for name in target.split(|b| *b == b'/') {
        match name {
            b"" | b"." => {}
            b".." if descending => return Err(Reason::TargetTurnsBack),
            b".." => above = above.checked_sub(1).ok_or(Reason::TargetOutside)?,
            _ => descending = true,
        }
    }
    // A path is at most MAX_DEPTH deep.
    Ok(u8::try_from(depth - above).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_or_refused() {
        for (raw, want) in [
            (&b"a"[..], "a"),
            (b"./a//b/./c/", "a/b/c"),
            (b"./", ""),
            (b".", ""),
            (b"...", "..."),
            (b"..a/b..", "..a/b.."),
            ("\u{e4}".as_bytes(), "\u{e4}"),
        ] {
            assert_eq!(path(raw).unwrap(), Path::new(want));
        }
        let deep = "d/".repeat(MAX_DEPTH + 1);
        let long = "n".repeat(MAX_NAME + 1);
        let very_long = "ab/".repeat(MAX_PATH / 3 + 1);
        for (raw, want) in [
            (&b""[..], Reason::NoName),
            (b"/etc/passwd", Reason::AbsolutePath),
            (b"//a", Reason::AbsolutePath),
            (b"..", Reason::ParentPath),
            (b"a/../../b", Reason::ParentPath),
            (b"a/..", Reason::ParentPath),
            (b"a\nb", Reason::ControlCharacter),
            (b"a\0b", Reason::ControlCharacter),
            (deep.as_bytes(), Reason::TooDeep),
            (long.as_bytes(), Reason::PathTooLong),
            (very_long.as_bytes(), Reason::PathTooLong),
        ] {
            assert_eq!(path(raw), Err(want));
        }
    }

    #[test]
    fn labels_and_companion_files_of_macos_are_no_part_of_an_app() {
        for (raw, kind, want) in [
            (&b"._app.v1"[..], b'0', true),
            (b"app.v1/._install.sh", b'0', true),
            (b"any label", b'V', true),
            (b"._", b'0', false),
            (b"a._b", b'0', false),
            (b"._d/file", b'0', false),
        ] {
            assert_eq!(is_no_part(raw, kind), want);
        }
    }

    #[test]
    fn the_first_entry_decides_about_the_leading_folder() {
        let run = |entries: &[(&str, bool)]| -> Vec<Result<PathBuf, Reason>> {
            let mut top = Top::Undecided;
            entries.iter().map(|(p, folder)| below_top(Path::new(p), *folder, &mut top, "a.v1")).collect()
        };
        let outside = || Err(Reason::OutsideFolder("a.v1".to_string()));
        assert_eq!(run(&[("a.v1", true), ("a.v1/x", false), ("y", false)]), [Ok("".into()), Ok("x".into()), outside()]);
        assert_eq!(run(&[("", true), ("a.v1/x", false), ("a.v1x", false)]), [Ok("".into()), Ok("x".into()), outside()]);
        assert_eq!(run(&[("x", false), ("a.v1/y", false)]), [Ok("x".into()), Ok("a.v1/y".into())]);
        // A file of that name is no leading folder.
        assert_eq!(run(&[("a.v1", false), ("x", false)]), [Ok("a.v1".into()), Ok("x".into())]);
    }

    #[test]
    fn symlinks_stay_inside() {
        for (at, target) in [
            ("a", "b"),
            ("a", "./b/c"),
            ("d/a", "../b"),
            ("d/e/a", "../../b"),
            ("d/a", ".."),
            ("a", "..b"),
            ("a", "."),
            ("d/a", "./../b/./c"),
        ] {
            let climbs = target.matches("../").count() as u8 + u8::from(target == "..");
            assert_eq!(symlink_target(Path::new(at), target.as_bytes()), Ok(climbs), "{at} -> {target}");
        }
        for (at, target, want) in [
            ("a", "", Reason::NoTarget),
            ("a", "/etc", Reason::AbsoluteTarget),
            ("a", "..", Reason::TargetOutside),
            ("a", "../x", Reason::TargetOutside),
            ("d/a", "../../x", Reason::TargetOutside),
            ("d/a", "./.././../x", Reason::TargetOutside),
            ("a", "b/..", Reason::TargetTurnsBack),
            // Where `d/x` is a link to `..`, this would end outside although it looks inside.
            ("d/y", "x/../z", Reason::TargetTurnsBack),
            ("a", "b\nc", Reason::ControlCharacter),
        ] {
            assert_eq!(symlink_target(Path::new(at), target.as_bytes()), Err(want), "{at} -> {target}");
        }
    }
}
