//! Makes a first buildfile out of three answers.

use std::fmt;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use miniserde::json;

use super::name::{self, NameError};
use crate::sys::file::{self, FileError};

/// What is proposed as the buildfile's name.
pub const DEFAULT_FILE: &str = "build.json";
const DEFAULT_VERSION: &str = "0.1.0";
/// So often a question is asked before nobody seems to answer it.
const MAX_TRIES: usize = 5;
/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 4096;

/// Why there is no new buildfile.
#[derive(Debug)]
pub enum CreateError {
    /// No acceptable answer came.
    NoAnswer(&'static str),
    /// The questions could not be asked, or the answers not read.
    Terminal(io::Error),
    /// It could not be written.
    File(FileError),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CreateError::NoAnswer(question) => write!(f, "no usable answer to the question for the {question}"),
            CreateError::Terminal(e) => write!(f, "cannot ask: {e}"),
            CreateError::File(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for CreateError {}

/// Asks for the file name, the app's name and its version, defaults in brackets, and writes the buildfile into `folder`. An
/// empty answer, or none because the input has ended, takes the default. An existing file is never overwritten.
///
/// # Errors
/// Nothing was written.
pub fn create_buildfile(
    folder: &Path,
    answers: &mut dyn BufRead,
    questions: &mut dyn Write,
) -> Result<PathBuf, CreateError> {
    let mut dialogue = Dialogue { answers, questions };
    let path = dialogue.ask("buildfile name", DEFAULT_FILE, &|answer| match folder.join(answer) {
        path if fs::symlink_metadata(&path).is_ok() => Err("that file exists; choose another name".to_string()),
        path if path.parent().is_some_and(Path::is_dir) => Ok(()),
        _ => Err("there is no such folder".to_string()),
    })?;
    let name = dialogue.ask("app name", &default_name(folder), &|answer| told(name::check_app(answer)))?;
    let version = dialogue.ask("app version", DEFAULT_VERSION, &|answer| told(name::check_version(answer)))?;
    let path = folder.join(path);
    file::replace(&path, text(folder, &name, &version).as_bytes(), 0o644).map_err(CreateError::File)?;
    Ok(path)
}

fn told(verdict: Result<(), NameError>) -> Result<(), String> {
    verdict.map_err(|e| e.to_string())
}

struct Dialogue<'a> {
    answers: &'a mut dyn BufRead,
    questions: &'a mut dyn Write,
}

impl Dialogue<'_> {
    fn ask(
        &mut self,
        what: &'static str,
        default: &str,
        check: &dyn Fn(&str) -> Result<(), String>,
    ) -> Result<String, CreateError> {
        for _ in 0..MAX_TRIES {
            self.say(&format!("{what} [{default}]: "))?;
            let mut line = Vec::new();
            io::Read::take(&mut *self.answers, MAX_ANSWER)
                .read_until(b'\n', &mut line)
                .map_err(CreateError::Terminal)?;
            let ended = line.is_empty();
            let answer = String::from_utf8_lossy(&line);
            let answer = if answer.trim().is_empty() { default } else { answer.trim() };
            match check(answer) {
                Ok(()) => return Ok(answer.to_string()),
                Err(why) => self.say(&format!("{why}\n"))?,
            }
            if ended {
                break;
            }
        }
        Err(CreateError::NoAnswer(what))
    }

    fn say(&mut self, text: &str) -> Result<(), CreateError> {
        self.questions.write_all(text.as_bytes()).and_then(|()| self.questions.flush()).map_err(CreateError::Terminal)
    }
}

/// The folder's name, as far as it can be an app's.
fn default_name(folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_default();
    let name: String = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(name::MAX_PART)
        .collect();
    if name::check_app(&name).is_ok() {
        name
    } else {
        "my_app".to_string()
    }
}

/// The buildfile's text; it includes what stands in the folder already of what an app is made of.
fn text(folder: &Path, name: &str, version: &str) -> String {
    let known = ["install.sh", "setup.py", "supervisor.conf"];
    let mut includes: Vec<String> =
        known.iter().filter(|file| folder.join(file).exists()).map(|file| json::to_string(*file)).collect();
    if includes.is_empty() {
        includes.push(json::to_string(known[0]));
    }
    format!(
        "{{\n    \"name\": {},\n    \"version\": {},\n    \"includes\": [\n        {}\n    ],\n    \"excludes\": [],\n    \
         \"pre_build_cmds\": [],\n    \"post_build_cmds\": []\n}}\n",
        json::to_string(name),
        json::to_string(version),
        includes.join(",\n        ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::buildfile::{Buildfile, Overrides};
    use crate::app::tests::Scratch;

    fn create(folder: &Path, answers: &str) -> (Result<PathBuf, CreateError>, String) {
        let mut questions = Vec::new();
        let result = create_buildfile(folder, &mut answers.as_bytes(), &mut questions);
        (result, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn answers_make_a_buildfile() {
        let scratch = Scratch::new("create");
        let folder = scratch.folder("my-folder");
        scratch.file("my-folder/install.sh", "");
        scratch.file("my-folder/supervisor.conf", "");
        let (made, questions) = create(&folder, "demo.json\ndemo\n1.2.3\n");
        let made = made.unwrap();
        assert_eq!(made, folder.join("demo.json"));
        assert_eq!(questions, "buildfile name [build.json]: app name [my_folder]: app version [0.1.0]: ");
        let buildfile = Buildfile::load(&made, &Overrides::default()).unwrap();
        assert_eq!(buildfile.tarball.to_string(), "demo.v1.2.3.tar.gz");
        assert_eq!(buildfile.includes, ["install.sh", "supervisor.conf"]);
    }

    #[test]
    fn empty_answers_and_an_ended_input_take_the_defaults() {
        let scratch = Scratch::new("create-defaults");
        let folder = scratch.folder("x");
        for answers in ["\n\n\n", "", "\r\n"] {
            let made = create(&folder, answers).0.unwrap();
            assert_eq!(
                fs::read_to_string(&made).unwrap(),
                "{\n    \"name\": \"x\",\n    \"version\": \"0.1.0\",\n    \"includes\": [\n        \"install.sh\"\n    ],\n    \
                 \"excludes\": [],\n    \"pre_build_cmds\": [],\n    \"post_build_cmds\": []\n}\n"
            );
            fs::remove_file(made).unwrap();
        }
    }

    #[test]
    fn bad_answers_are_asked_again_and_nothing_is_overwritten() {
        let scratch = Scratch::new("create-bad");
        let folder = scratch.folder("x");
        scratch.file("x/build.json", "precious");
        let (made, questions) = create(&folder, "\nno/such/folder.json\nb.json\nmy app\nmy_app\n-1\n1\n");
        assert_eq!(made.unwrap(), folder.join("b.json"));
        assert!(questions.contains("that file exists") && questions.contains("white space"), "{questions}");
        assert!(matches!(create(&folder, "").0, Err(CreateError::NoAnswer("buildfile name"))));
        assert!(matches!(create(&folder, &"\n".repeat(100)).0, Err(CreateError::NoAnswer(_))));
        assert_eq!(fs::read_to_string(folder.join("build.json")).unwrap(), "precious");
    }
}
