//! Rebuilds the disk as a power cut could have left it at any point of the log.
//!
//! Invariant: what a completed flush had covered, and what was written through (FUA), is in every image; of the rest, the
//! loss decides. Writes that reach the medium do so in the log's order.

use super::log::{Change, Log};
use super::loss::{Fate, Loss};
use super::sys;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The disk as far as flushes have covered it; it moves forward along the log.
#[derive(Debug)]
pub struct Replayer<'a> {
    log: &'a Log,
    base: PathBuf,
    durable: PathBuf,
    /// So many requests are in `durable`.
    applied: usize,
}

impl<'a> Replayer<'a> {
    /// Starts from the disk as it was when the log began. `durable` is a file of the replayer's own.
    pub fn new(log: &'a Log, base: &Path, durable: PathBuf) -> io::Result<Replayer<'a>> {
        sys::copy_sparse(base, &durable)?;
        Ok(Replayer { log, base: base.to_path_buf(), durable, applied: 0 })
    }

    /// Writes the disk after a cut behind the first `cut` requests to the file `image`. Cuts that go forward are cheap.
    pub fn crash(&mut self, cut: usize, loss: &mut Loss, image: &Path) -> io::Result<()> {
        let covered = self.covered(cut);
        if covered < self.applied {
            sys::copy_sparse(&self.base, &self.durable)?;
            self.applied = 0;
        }
        let durable = writable(&self.durable)?;
        for request in &self.log.requests()[self.applied..covered] {
            self.apply(&durable, &request.change, &Fate::Kept)?;
        }
        self.applied = covered;
        sys::copy_sparse(&self.durable, image)?;
        let image = writable(image)?;
        for request in &self.log.requests()[covered..cut] {
            let fate = if request.fua { Fate::Kept } else { loss.fate(length(&request.change)) };
            self.apply(&image, &request.change, &fate)?;
        }
        Ok(())
    }

    /// How many of the first `cut` requests the last completed flush among them had covered. A flush that carries data
    /// does not cover its own.
    fn covered(&self, cut: usize) -> usize {
        let before = &self.log.requests()[..cut];
        before.iter().rposition(|request| request.flush).unwrap_or(0)
    }

    fn apply(&self, image: &File, change: &Change, fate: &Fate) -> io::Result<()> {
        match (change, fate) {
            (Change::None, _) | (_, Fate::Dropped) => Ok(()),
            (Change::Write { offset, data }, Fate::Kept) => image.write_all_at(self.log.data(data), *offset),
            (Change::Write { offset, data }, Fate::Torn(kept)) => {
                let sectors = self.log.data(data).chunks(super::log::SECTOR as usize);
                let mut at = *offset;
                for (sector, kept) in sectors.zip(kept) {
                    if *kept {
                        image.write_all_at(sector, at)?;
                    }
                    at += sector.len() as u64;
                }
                Ok(())
            }
            // A torn discard is one that has not happened: what is left may be read by nobody.
            (Change::Discard { .. }, Fate::Torn(_)) => Ok(()),
            (Change::Discard { offset, length }, Fate::Kept) => sys::punch_hole(image, *offset, *length),
        }
    }
}

fn length(change: &Change) -> u64 {
    match change {
        Change::None => 0,
        Change::Write { data, .. } => data.len() as u64,
        Change::Discard { length, .. } => *length,
    }
}

fn writable(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::Replayer;
    use crate::log::{made, Log};
    use crate::loss::Loss;
    use crate::random::Random;
    use gwe_tests::harness::Scratch;
    use std::collections::BTreeSet;
    use std::fs;

    /// The first byte of each sector of a disk of four, for many losses at one cut.
    fn disks(log: &Log, cut: usize) -> BTreeSet<Vec<u8>> {
        let scratch = Scratch::new();
        let base = scratch.write("base", [9; 2048]);
        let mut replayer = Replayer::new(log, &base, scratch.path("durable")).unwrap();
        let image = scratch.path("image");
        let mut seen = BTreeSet::new();
        for state in 0..300 {
            replayer.crash(cut, &mut Loss::choose(Random::of(5, state)), &image).unwrap();
            seen.insert(fs::read(&image).unwrap().chunks(512).map(|sector| sector[0]).collect());
        }
        seen
    }

    fn set(disks: &[[u8; 4]]) -> BTreeSet<Vec<u8>> {
        disks.iter().map(|disk| disk.to_vec()).collect()
    }

    #[test]
    fn what_a_flush_covered_is_there_and_of_the_rest_anything() {
        let log = made::log(&[made::write(0, &[1; 512]), made::flush(), made::write(1, &[2; 1024]), made::flush()]);
        assert_eq!(disks(&log, 0), set(&[[9, 9, 9, 9]]));
        assert_eq!(disks(&log, 1), set(&[[9, 9, 9, 9], [1, 9, 9, 9]]));
        assert_eq!(disks(&log, 2), set(&[[1, 9, 9, 9]]));
        assert_eq!(disks(&log, 3), set(&[[1, 9, 9, 9], [1, 2, 9, 9], [1, 9, 2, 9], [1, 2, 2, 9]]));
        assert_eq!(disks(&log, 4), set(&[[1, 2, 2, 9]]));
    }

    #[test]
    fn a_later_write_may_survive_an_earlier_one_but_never_gives_way_to_it() {
        let log = made::log(&[made::write(0, &[1; 512]), made::write(1, &[2; 512]), made::write(0, &[3; 512])]);
        let seen = disks(&log, 3);
        let all = [[9, 9], [1, 9], [3, 9], [9, 2], [1, 2], [3, 2]].map(|[a, b]| [a, b, 9, 9]);
        assert_eq!(seen, set(&all));
    }

    #[test]
    fn what_is_written_through_is_there_without_a_flush() {
        let log = made::log(&[made::write(0, &[1; 512]), made::write_through(1, &[2; 512])]);
        assert_eq!(disks(&log, 2), set(&[[9, 2, 9, 9], [1, 2, 9, 9]]));
    }

    #[test]
    fn a_discard_is_lost_or_reads_as_zeros() {
        let log = made::log(&[made::discard(0, 4)]);
        assert_eq!(disks(&log, 1), set(&[[9, 9, 9, 9], [0, 0, 0, 0]]));
    }

    #[test]
    fn cuts_may_go_backward() {
        let log = made::log(&[made::write(0, &[1; 512]), made::flush(), made::write(0, &[2; 512]), made::flush()]);
        let scratch = Scratch::new();
        let base = scratch.write("base", [9; 2048]);
        let mut replayer = Replayer::new(&log, &base, scratch.path("durable")).unwrap();
        let image = scratch.path("image");
        for (cut, first) in [(4, 2), (2, 1), (0, 9), (4, 2)] {
            replayer.crash(cut, &mut Loss::choose(Random::of(1, 1)), &image).unwrap();
            assert_eq!(fs::read(&image).unwrap()[0], first, "{cut}");
        }
    }
}
