//! The controls: a small writer that does it right, one that does not sync, and one that overwrites in place. The first must
//! lose nothing; of the others the experiment must find the harm, or its detector is broken.

use crate::trouble::{Doing, Outcome};
use crate::witness::{last_number, Witness};
use crate::workload::{Checker, CrashState, Expected, Finding, Workload};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How often the file is written.
const ROUNDS: u64 = 100;
/// The file's length in blocks of the file system. The even ones say which round wrote them, the odd ones never change: so
/// that a round that is written in place is several requests, and the file can be half of one and half of the other.
const BLOCKS: u64 = 5;
const BLOCK: u64 = 4096;
/// Another program on the same disk syncs a file of its own after so many rounds: what reaches the medium of the writer's
/// files does so by chance, as it would on a gateway.
const OTHER: u64 = 3;

/// How the writer writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Temporary, fsync, rename, fsync of the folder.
    Synced,
    /// Temporary and rename, without fsync: readers see no mixture, and a power cut loses it.
    Unsynced,
    /// Over the old content, then fsync: nothing that was acknowledged is lost, and a power cut makes a mixture.
    InPlace,
}

impl Workload for Control {
    fn name(&self) -> &'static str {
        match self {
            Control::Synced => "control-fsync",
            Control::Unsynced => "control-no-fsync",
            Control::InPlace => "control-in-place",
        }
    }

    fn expected(&self) -> Expected {
        match self {
            Control::Synced => Expected::Nothing,
            Control::Unsynced => Expected::Losses,
            Control::InPlace => Expected::ThirdStates,
        }
    }

    fn prepare(&self, root: &Path, _notes: &Path) -> Outcome<()> {
        write(*self, root, 0).doing("write", root)
    }

    fn work(&self, root: &Path, _notes: &Path, witness: &Witness) -> Outcome<()> {
        for round in 1..=ROUNDS {
            witness.note(format!("began {round}"));
            write(*self, root, round).doing("write", root)?;
            witness.note(format!("acknowledged {round}"));
            if round % OTHER == 0 {
                let other = root.join("other");
                File::create(&other)
                    .and_then(|mut file| file.write_all(b"x").and(file.sync_all()))
                    .doing("write", &other)?;
            }
        }
        Ok(())
    }

    fn checker(&self, _notes: &Path) -> Outcome<Box<dyn Checker>> {
        Ok(Box::new(Reader))
    }
}

fn write(how: Control, root: &Path, round: u64) -> io::Result<()> {
    let (path, temporary) = (root.join("value"), root.join("value.new"));
    let content = content(round);
    if how == Control::InPlace {
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        if round == 0 {
            file.write_all_at(&content, 0)?;
        }
        for at in (0..BLOCKS).step_by(2).map(|block| block * BLOCK) {
            file.write_all_at(&content[at as usize..][..BLOCK as usize], at)?;
        }
        return file.sync_data();
    }
    let mut file = File::create(&temporary)?;
    file.write_all(&content)?;
    if how == Control::Synced {
        file.sync_all()?;
    }
    fs::rename(temporary, path)?;
    if how == Control::Synced {
        File::open(root)?.sync_all()?;
    }
    Ok(())
}

/// Lines with the round's number in the even blocks, and with another in the odd ones.
fn content(round: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in 0..BLOCKS {
        let line = if block % 2 == 0 { format!("{round:09}\n") } else { "unchanged\n".to_string() };
        bytes.extend(line.bytes().cycle().take(BLOCK as usize));
    }
    bytes
}

struct Reader;

impl Checker for Reader {
    fn check(&mut self, state: &CrashState) -> Outcome<Finding> {
        let path = state.root.join("value");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Finding::Lost("the file is gone".to_string()));
            }
            read => read.doing("read", &path)?,
        };
        let first = std::str::from_utf8(bytes.get(..9).unwrap_or_default()).ok().and_then(|text| text.parse().ok());
        let Some(found) = first.filter(|round| bytes == content(*round)) else {
            return Ok(Finding::Third(format!("{} bytes that nobody wrote so", bytes.len())));
        };
        let acknowledged = last_number(state.past, "acknowledged").unwrap_or(0);
        let began = last_number(state.past, "began").unwrap_or(0);
        Ok(match found {
            _ if found < acknowledged => Finding::Lost(format!("{acknowledged} was acknowledged, {found} is there")),
            _ if found > began => Finding::Third(format!("{found} is there, which was not yet begun")),
            _ => Finding::Sound,
        })
    }
}
