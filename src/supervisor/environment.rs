//! The environment that supervisord knows as `%(ENV_x)s`: that of its own process, and what its configuration adds to it
//! (docs/spec/supervisord.md). Not that of whoever asks (docs/spec/failures.md, case 02; Supervisor#599, #1038, #1177).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Supervisor;
use crate::format::ini::Ini;
use crate::format::pairs::pairs;
use crate::sys::file;

/// The largest environment, command line and configuration that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// Where supervisord looks for its configuration, where its command line says nothing.
const USUAL: [&str; 2] = ["/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"];

/// Names and values; `None`: it is there, and its value is not known.
pub type Environment = Vec<(String, Option<String>)>;

impl Supervisor<'_> {
    /// The variables; `None` where nobody can tell.
    #[must_use]
    pub fn environment(&self) -> Option<Environment> {
        let pid = self.call("supervisor.getPID", &[]).ok()?.as_int().filter(|pid| *pid > 0)?;
        let process = Path::new("/proc").join(pid.to_string());
        let mut variables: Environment = of_process(&process)?.into_iter().filter_map(as_text).collect();
        let arguments = words(&process.join("cmdline")).unwrap_or_default();
        variables.extend(configuration(&arguments, &process).map(|path| added(&path)).unwrap_or_default());
        Some(variables)
    }
}

/// Names and values that a process was started with, by its folder in /proc; `None` where that cannot be read.
#[must_use]
pub fn of_process(process: &Path) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let variable = |word: Vec<u8>| {
        let equals = word.iter().position(|byte| *byte == b'=')?;
        Some((word.get(..equals)?.to_vec(), word.get(equals + 1..)?.to_vec()))
    };
    Some(words(&process.join("environ"))?.into_iter().filter_map(variable).collect())
}

fn as_text((name, value): (Vec<u8>, Vec<u8>)) -> Option<(String, Option<String>)> {
    Some((String::from_utf8(name).ok()?, String::from_utf8(value).ok()))
}

/// What a file of /proc has between its zero bytes.
fn words(path: &Path) -> Option<Vec<Vec<u8>>> {
    let bytes = file::read(path, MAX_BYTES).ok().flatten()?;
    Some(bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect())
}

/// The configuration's file, as the command line names it.
fn configuration(arguments: &[Vec<u8>], process: &Path) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let named = match argument.as_slice() {
            b"-c" | b"--configuration" => arguments.next().map(Vec::as_slice),
            argument => argument.strip_prefix(b"--configuration=").or_else(|| argument.strip_prefix(b"-c")),
        };
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            return Some(process.join("cwd").join(Path::new(OsStr::from_bytes(named))));
        }
    }
    USUAL.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// What `environment` of `[supervisord]` adds. Values may name others: they are left open.
fn added(path: &Path) -> Environment {
    let text = file::read(path, MAX_BYTES).ok().flatten().unwrap_or_default();
    let Ok(ini) = Ini::parse(&String::from_utf8_lossy(&text)) else { return Vec::new() };
    let found = ini.get("supervisord", "environment").and_then(|text| pairs(text).ok());
    found.unwrap_or_default().into_iter().map(|(name, _)| (name, None)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_where_the_command_line_says() {
        for (line, path) in [
            ("python3 supervisord -n -c /etc/gwe/supervisord.conf", "/etc/gwe/supervisord.conf"),
            ("supervisord --configuration=/a -n", "/a"),
            ("supervisord --configuration b -n", "/proc/1/cwd/b"),
            ("supervisord -c/a", "/a"),
        ] {
            let arguments: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            assert_eq!(configuration(&arguments, Path::new("/proc/1")), Some(PathBuf::from(path)), "{line}");
        }
    }

    #[test]
    fn variables_as_the_kernel_tells_them() {
        let process = std::env::temp_dir().join(format!("gwe-process-{}", std::process::id()));
        std::fs::create_dir_all(&process).unwrap();
        std::fs::write(process.join("environ"), b"A=b=c\0B=\xff\0C\0\xff=1\0").unwrap();
        let known: Environment = of_process(&process).unwrap().into_iter().filter_map(as_text).collect();
        assert_eq!(known, [("A".into(), Some("b=c".into())), ("B".into(), None)]);
        std::fs::remove_dir_all(&process).unwrap();
        assert!(of_process(&process).is_none());
        assert!(!of_process(Path::new("/proc/self")).unwrap().is_empty());
    }

    #[test]
    fn what_the_configuration_adds_is_known_by_name() {
        let path = std::env::temp_dir().join(format!("gwe-supervisord-{}.conf", std::process::id()));
        std::fs::write(&path, "[supervisord]\nenvironment = SITE=\"%(ENV_HOME)s\",B=2\n[program:x]\nenvironment=C=3\n")
            .unwrap();
        assert_eq!(added(&path), [("SITE".to_string(), None), ("B".to_string(), None)]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(added(&path), []);
    }
}
