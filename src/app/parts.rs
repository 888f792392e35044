//! What a tarball must hold: `install.sh` or `setup.py`, and for a long-running app `supervisor.conf`
//! (docs/spec/gateway-engine.md, "A Custom Gateway Application").

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::fault::{Fault, Reason};
use super::limits::MAX_CONF;
use super::program_conf;

/// What the kernel reads of a script's first line, in bytes.
const MAX_SHEBANG: usize = 255;

const INSTALL_SH: &str = "install.sh";
const SETUP_PY: &str = "setup.py";
const SUPERVISOR_CONF: &str = "supervisor.conf";

/// How an app is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installer {
    /// Its `install.sh`.
    InstallSh,
    /// `setup.py install`, where there is no `install.sh`.
    SetupPy,
}

/// What stands at one of the names that matter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TarballPart {
    File {
        mode: u32,
    },
    /// A folder or a link.
    Other,
}

/// How the lines of `install.sh` end.
#[derive(Default)]
struct LineEnds {
    all: usize,
    with_return: usize,
    last: u8,
}

impl LineEnds {
    fn see(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.all += usize::from(*byte == b'\n');
            self.with_return += usize::from(*byte == b'\n' && self.last == b'\r');
            self.last = *byte;
        }
    }

    /// Every line behind the first: some of them only are what a script may want, in a text that it writes.
    fn are_dos(&self) -> bool {
        self.with_return > 0 && self.with_return + 1 == self.all
    }
}

/// The parts seen in a pass.
#[derive(Default)]
pub(super) struct Parts {
    install_sh: Option<TarballPart>,
    setup_py: Option<TarballPart>,
    supervisor_conf: Option<TarballPart>,
    uninstall_sh: Option<TarballPart>,
    /// The first bytes of `install.sh`, and of `uninstall.sh`.
    first_line: Vec<u8>,
    first_line_back: Vec<u8>,
    line_ends: LineEnds,
    /// The whole of `supervisor.conf`, or one byte more than is allowed.
    conf: Vec<u8>,
}

impl Parts {
    /// An entry stands at `path`, in place of what stood there.
    pub(super) fn note(&mut self, path: &Path, part: TarballPart) {
        match path.as_os_str().as_bytes() {
            b"install.sh" => {
                self.install_sh = Some(part);
                self.first_line.clear();
                self.line_ends = LineEnds::default();
            }
            b"setup.py" => self.setup_py = Some(part),
            b"uninstall.sh" => {
                self.uninstall_sh = Some(part);
                self.first_line_back.clear();
            }
            b"supervisor.conf" => {
                self.supervisor_conf = Some(part);
                self.conf.clear();
            }
            _ => {}
        }
    }

    /// The next bytes of the file at `path`.
    pub(super) fn content(&mut self, path: &Path, bytes: &[u8]) {
        if path.as_os_str().as_bytes() == b"install.sh" {
            self.line_ends.see(bytes);
        }
        let (kept, limit) = match path.as_os_str().as_bytes() {
            b"install.sh" => (&mut self.first_line, MAX_SHEBANG + 1),
            b"uninstall.sh" => (&mut self.first_line_back, MAX_SHEBANG + 1),
            b"supervisor.conf" => (&mut self.conf, MAX_CONF + 1),
            _ => return,
        };
        let room = limit.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(&bytes[..room]);
    }

    /// Why its `uninstall.sh` would not run when the app is taken away, which may be years from now.
    pub(super) fn uninstall_fault(&self) -> Option<Reason> {
        match self.uninstall_sh {
            Some(TarballPart::File { mode }) if mode & 0o100 == 0 => Some(Reason::NotExecutable),
            Some(TarballPart::File { .. }) => {
                shebang(&self.first_line_back).err().filter(|reason| *reason != Reason::Compiled)
            }
            Some(TarballPart::Other) | None => None,
        }
    }

    /// What the app is, or what it lacks.
    pub(super) fn judge(&self, app: &str, faults: &mut Vec<Fault>) -> (Installer, Option<String>) {
        let mut fault = |file: &str, reason| faults.push(Fault::of(file.as_bytes(), reason));
        let installer = match (self.install_sh, self.setup_py) {
            (Some(TarballPart::File { mode }), _) => {
                if mode & 0o100 == 0 {
                    fault(INSTALL_SH, Reason::NotExecutable);
                }
                match shebang(&self.first_line) {
                    Err(reason) => fault(INSTALL_SH, reason),
                    Ok(()) if self.line_ends.are_dos() && is_for_a_shell(&self.first_line) => {
                        fault(INSTALL_SH, Reason::DosLineEnds);
                    }
                    Ok(()) => {}
                }
                Installer::InstallSh
            }
            (Some(TarballPart::Other), _) => {
                fault(INSTALL_SH, Reason::NotRegular);
                Installer::InstallSh
            }
            (None, Some(part)) => {
                if part == TarballPart::Other {
                    fault(SETUP_PY, Reason::NotRegular);
                }
                Installer::SetupPy
            }
            (None, None) => {
                fault("", Reason::NoInstaller);
                Installer::InstallSh
            }
        };
        let conf = match self.supervisor_conf {
            None => None,
            Some(TarballPart::Other) => {
                fault(SUPERVISOR_CONF, Reason::NotRegular);
                None
            }
            Some(TarballPart::File { .. }) if self.conf.len() > MAX_CONF => {
                fault(SUPERVISOR_CONF, Reason::ConfTooLarge);
                None
            }
            Some(TarballPart::File { .. }) => match String::from_utf8(self.conf.clone()) {
                Ok(text) => {
                    for conf_fault in program_conf::check(app, &text) {
                        fault(SUPERVISOR_CONF, Reason::Conf(conf_fault));
                    }
                    Some(text)
                }
                Err(_) => {
                    fault(SUPERVISOR_CONF, Reason::ConfNotUtf8);
                    None
                }
            },
        };
        (installer, conf)
    }
}

/// Whether a script's first bytes are a line that the kernel can run.
fn shebang(start: &[u8]) -> Result<(), Reason> {
    if start.starts_with(b"\x7fELF") {
        return Err(Reason::Compiled);
    }
    let line = start.strip_prefix(b"#!").ok_or(Reason::NoShebang)?;
    let line = match line.iter().position(|b| *b == b'\n') {
        Some(end) => &line[..end],
        None if start.len() > MAX_SHEBANG => return Err(Reason::ShebangTooLong),
        None => line,
    };
    if line.ends_with(b"\r") {
        return Err(Reason::ShebangCarriageReturn);
    }
    let interpreter = line.iter().position(|b| !matches!(b, b' ' | b'\t')).map(|at| line[at]);
    if interpreter != Some(b'/') {
        return Err(Reason::ShebangRelative);
    }
    Ok(())
}

/// Whether a script's first line names a shell: to others, Python among them, a carriage return is white space.
fn is_for_a_shell(start: &[u8]) -> bool {
    let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
    line.split(|b| matches!(b, b' ' | b'\t' | b'/')).any(|word| word.ends_with(b"sh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shebang_is_what_the_kernel_would_run() {
        for good in ["#!/bin/sh\n", "#! /usr/bin/env python3\nx\r\n", "#!/bin/sh", "#!\t/bin/sh -e\n"] {
            assert_eq!(shebang(good.as_bytes()), Ok(()), "{good:?}");
        }
        let long = format!("#!/{}", "x".repeat(300));
        for (bad, reason) in [
            ("", Reason::NoShebang),
            ("echo hello\n", Reason::NoShebang),
            ("\x7fELF\x02\x01", Reason::Compiled),
            ("\u{feff}#!/bin/sh\n", Reason::NoShebang),
            ("\n#!/bin/sh\n", Reason::NoShebang),
            ("#!\n", Reason::ShebangRelative),
            ("#!sh\n", Reason::ShebangRelative),
            ("#!/bin/sh\r\necho\r\n", Reason::ShebangCarriageReturn),
            (&long, Reason::ShebangTooLong),
        ] {
            assert_eq!(shebang(&bad.as_bytes()[..bad.len().min(256)]), Err(reason), "{bad:?}");
        }
    }
}
