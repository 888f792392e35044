//! Deltas by hand: making them at a desk, and applying them for support.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::operator::complain;
use super::output;
use crate::app::delta;

/// Makes the delta of two tarballs in the current folder, and prints its full path.
#[must_use]
pub fn build(operands: &[PathBuf]) -> u8 {
    let [old, new] = operands else {
        complain("--build-delta wants two tarballs: the old version, then the new one");
        return 2;
    };
    let mut bar = bar::Bar::new();
    let built = delta::build::build(old, new, Path::new("."), &mut |percent| bar.show(percent));
    bar.end();
    match built {
        Ok(built) => {
            let percent = built.bytes * 100 / built.tarball_bytes.max(1);
            crate::info!("{} bytes, {percent} % of the tarball's {}", built.bytes, built.tarball_bytes);
            if percent > delta::build::WORTH {
                crate::warning!("it saves little: send the tarball instead");
            }
            output::print("gwe", &[built.path.as_os_str().as_bytes(), b"\n"].concat())
        }
        Err(e) => {
            complain(&format!("no delta is made: {e}"));
            1
        }
    }
}

/// Makes the new tarball in the current folder, and prints its full path.
#[must_use]
pub fn apply(operands: &[PathBuf]) -> u8 {
    let [patch, old] = operands else {
        complain("--apply-delta wants a delta, and the old version's folder or tarball");
        return 2;
    };
    match delta::apply(patch, old, Path::new(".")) {
        Ok(path) => output::print("gwe", &[path.as_os_str().as_bytes(), b"\n"].concat()),
        Err(e) => {
            complain(&format!("no tarball is made: {e}"));
            1
        }
    }
}

/// How far it is, for a person at a terminal.
mod bar {
    use std::io::{stderr, IsTerminal, Write};

    pub(super) struct Bar {
        shown: Option<u64>,
        is_wanted: bool,
    }

    impl Bar {
        pub(super) fn new() -> Bar {
            Bar { shown: None, is_wanted: stderr().is_terminal() }
        }

        pub(super) fn show(&mut self, percent: u64) {
            if self.is_wanted && self.shown != Some(percent) {
                self.shown = Some(percent);
                let full = "#".repeat(percent as usize / 2);
                let _ = write!(stderr(), "\r[{full:50}] {percent:3} %");
            }
        }

        pub(super) fn end(&self) {
            if self.shown.is_some() {
                let _ = write!(stderr(), "\r{:60}\r", "");
            }
        }
    }
}
