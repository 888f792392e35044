//! How an archive writes its headers: the models from which the base's are made.

use tar::{Archive, EntryType};

use crate::app::delta::model::{name_of, Models, BLOCK};
use crate::app::name::TarballName;

/// What is looked at of each entry.
struct LearnSeen {
    block: [u8; BLOCK],
    is_long: bool,
}

/// Reads the models off the tar stream of a sound archive. `own_times` is refused where all files have one time.
pub(super) fn learn(stream: &[u8], name: &TarballName, may_have_times: bool) -> Models {
    let mut firsts: [Option<[u8; BLOCK]>; 4] = [None; 4];
    let mut times = Vec::new();
    let mut prefix = None;
    let mut archive = Archive::new(stream);
    // The archive has passed its checks: whatever cannot be read here only makes the delta larger.
    for entry in archive.entries().into_iter().flatten().flatten() {
        let path = entry.path_bytes();
        let seen = LearnSeen { block: *entry.header().as_bytes(), is_long: path.len() > 100 };
        if prefix.is_none() && !matches!(&*path, b"./" | b".") {
            prefix = Some(prefix_of(&path, name));
        }
        let mode = entry.header().mode().unwrap_or(0o644);
        let which = match entry.header().entry_type() {
            EntryType::Directory => 2,
            EntryType::Symlink => 3,
            EntryType::Regular if mode & 0o100 == 0 => 0,
            EntryType::Regular => 1,
            _ => continue,
        };
        if which < 2 {
            times.push(entry.header().mtime().unwrap_or(0));
        }
        let is_usual = [0o644, 0o755, 0o755, 0o777][which] == (mode & 0o755 | if which == 3 { 0o777 } else { 0o600 });
        if firsts[which].is_none() && !seen.is_long && is_usual {
            firsts[which] = Some(seen.block);
        }
    }
    let own_times = may_have_times && times.windows(2).any(|pair| pair[0] != pair[1]);
    let stand_in = firsts.iter().flatten().next().copied().unwrap_or([0; BLOCK]);
    let types = [(b'0', 0o644), (b'0', 0o755), (b'5', 0o755), (b'2', 0o777)];
    let mut blocks = Box::new([[0; BLOCK]; 4]);
    for (index, block) in blocks.iter_mut().enumerate() {
        *block = firsts[index].unwrap_or_else(|| typed(stand_in, types[index]));
        blank(block, index == 2, own_times && index < 2);
    }
    Models { blocks, own_times, prefix: prefix.unwrap_or_default() }
}

/// What stands before every path.
fn prefix_of(path: &[u8], name: &TarballName) -> Vec<u8> {
    let folder = name.folder() + "/";
    for prefix in [format!("./{folder}"), folder, "./".to_string()] {
        if path.starts_with(prefix.as_bytes()) {
            return prefix.into_bytes();
        }
    }
    Vec::new()
}

fn typed(mut block: [u8; BLOCK], (letter, mode): (u8, u32)) -> [u8; BLOCK] {
    block[156] = letter;
    block[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
    block
}

/// Takes out what each entry has of its own. Of a folder's name the slash stays, and of the checksum how it is written.
fn blank(block: &mut [u8; BLOCK], is_folder: bool, has_own_time: bool) {
    let has_slash = is_folder && name_of(block).ends_with(b"/");
    block[..100].fill(0);
    if has_slash {
        block[0] = b'/';
    }
    block[124..136].fill(0);
    if has_own_time {
        block[136..148].fill(0);
    }
    let last = block[155];
    block[148..156].fill(0);
    block[155] = if last == b' ' { b' ' } else { 0 };
    block[157..257].fill(0);
    block[345..].fill(0);
}
