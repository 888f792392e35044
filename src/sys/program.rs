//! Starting another program, in a process of its own or in the place of this one.
//!
//! The standard library's `Command` costs 30 kB of flash, a map for the environment and its ways around fork most of it. Here the
//! environment is a list, and there is one way: fork, and the new program's own error back through a pipe.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::ptr;

extern "C" {
    static mut environ: *const *const libc::c_char;
}

/// What is done between fork and exec: it may call what is async-signal-safe, and nothing else.
type Preparation = Box<dyn Fn() -> io::Result<()>>;

/// A program to be started: with this process's environment, folder and descriptors, unless told otherwise.
pub struct Program {
    /// Looked for in the `PATH` that the program gets, where it names no folder.
    path: OsString,
    /// The name it is called by, and its arguments.
    words: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    /// What takes the place of stdin, stdout and stderr.
    streams: [Option<OwnedFd>; 3],
    preparation: Option<Preparation>,
}

impl Program {
    /// The program at a path, or of a name.
    pub fn new(path: impl Into<OsString>) -> Program {
        let path = path.into();
        Program {
            words: vec![path.clone()],
            path,
            environment: env::vars_os().collect(),
            folder: None,
            streams: [None, None, None],
            preparation: None,
        }
    }

    /// The name that it is called by, in the place of its path.
    pub fn called(&mut self, name: &OsStr) -> &mut Program {
        if let Some(first) = self.words.first_mut() {
            *first = name.to_os_string();
        }
        self
    }

    /// One more argument.
    pub fn arg(&mut self, argument: impl Into<OsString>) -> &mut Program {
        self.words.push(argument.into());
        self
    }

    /// More of them.
    pub fn args<T: Into<OsString>>(&mut self, arguments: impl IntoIterator<Item = T>) -> &mut Program {
        self.words.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(&mut self, name: &str, value: impl Into<OsString>) -> &mut Program {
        self.keep_env(|known| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Keeps from it the variables whose names are not wanted.
    pub fn keep_env(&mut self, is_wanted: impl Fn(&OsStr) -> bool) {
        self.environment.retain(|(name, _)| is_wanted(name));
    }

    /// These are all its variables.
    pub fn environment(&mut self, variables: Vec<(OsString, OsString)>) {
        self.environment = variables;
    }

    /// Where it starts.
    pub fn folder(&mut self, folder: impl Into<PathBuf>) -> &mut Program {
        self.folder = Some(folder.into());
        self
    }

    /// What it gets in the place of stdin, stdout and stderr; `None`: this process's own.
    pub fn streams(&mut self, streams: [Option<OwnedFd>; 3]) {
        self.streams = streams;
    }

    /// What is done just before it starts, in its process.
    ///
    /// # Safety
    /// Only what is async-signal-safe may be called.
    pub(super) unsafe fn prepare(&mut self, preparation: impl Fn() -> io::Result<()> + 'static) {
        self.preparation = Some(Box::new(preparation));
    }

    /// Starts it in a process of its own. What was given to it is closed here.
    ///
    /// # Errors
    /// It could not be started: what the system said, also of the new process's last steps before it became the program.
    pub fn spawn(self) -> io::Result<ChildProcess> {
        let image = Image::of(&self)?;
        let pointers = image.pointers();
        let (mut told, teller) = pipe()?;
        // SAFETY: the child calls nothing but what is async-signal-safe, and never returns.
        let pid = match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error()),
            0 => unsafe {
                let number =
                    self.become_in_child(&image, &pointers).raw_os_error().unwrap_or(libc::EINVAL).to_ne_bytes();
                libc::write(teller.as_raw_fd(), number.as_ptr().cast(), number.len());
                libc::_exit(127)
            },
            pid => pid,
        };
        drop((self, teller));
        let mut child = ChildProcess { pid, status: None };
        let mut number = [0; 4];
        // The pipe is closed by the program's start, and so has an end without a number.
        match told.read_exact(&mut number) {
            Ok(()) => {
                child.wait()?;
                Err(io::Error::from_raw_os_error(i32::from_ne_bytes(number)))
            }
            Err(_) => Ok(child),
        }
    }

    /// Becomes it in the place of this process; returns why that failed. Neither streams nor a preparation are for this.
    #[must_use]
    pub fn exec(self) -> io::Error {
        let image = match Image::of(&self) {
            Ok(image) => image,
            Err(e) => return e,
        };
        // SAFETY: as `start`; where it fails this process is as it was.
        unsafe {
            let (handler, variables) = (libc::signal(libc::SIGPIPE, libc::SIG_DFL), environ);
            let error = image.start(&image.pointers());
            environ = variables;
            libc::signal(libc::SIGPIPE, handler);
            error
        }
    }

    /// Becomes it in a process of its own; returns why that failed.
    ///
    /// # Safety
    /// Only between fork and exec.
    unsafe fn become_in_child(&self, image: &Image, pointers: &Pointers) -> io::Error {
        for (number, stream) in self.streams.iter().enumerate() {
            if stream.as_ref().is_some_and(|stream| libc::dup2(stream.as_raw_fd(), number as libc::c_int) < 0) {
                return io::Error::last_os_error();
            }
        }
        if image.folder.as_ref().is_some_and(|folder| libc::chdir(folder.as_ptr()) != 0) {
            return io::Error::last_os_error();
        }
        // Rust's runtime ignores it, and what is ignored is inherited.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        if let Some(Err(error)) = self.preparation.as_ref().map(|preparation| preparation()) {
            return error;
        }
        image.start(pointers)
    }
}

/// A program as the system takes it. Made before fork: memory cannot be had in between.
struct Image {
    path: CString,
    folder: Option<CString>,
    words: Vec<CString>,
    variables: Vec<CString>,
}

/// Those of an [`Image`]'s words and variables.
type Pointers = [Vec<*const libc::c_char>; 2];

impl Image {
    fn of(program: &Program) -> io::Result<Image> {
        Ok(Image {
            path: terminated(&program.path)?,
            folder: program.folder.as_ref().map(|folder| terminated(folder.as_os_str())).transpose()?,
            words: program.words.iter().map(|word| terminated(word)).collect::<io::Result<_>>()?,
            variables: program
                .environment
                .iter()
                .map(|(name, value)| variable(name, value))
                .collect::<io::Result<_>>()?,
        })
    }

    fn pointers(&self) -> Pointers {
        [pointers(&self.words), pointers(&self.variables)]
    }

    /// Becomes it; returns why that failed, with the environment changed.
    ///
    /// # Safety
    /// The pointers are this image's, and no other thread looks at the environment.
    unsafe fn start(&self, [words, variables]: &Pointers) -> io::Error {
        environ = variables.as_ptr();
        libc::execvp(self.path.as_ptr(), words.as_ptr());
        io::Error::last_os_error()
    }
}

/// A text as the system takes it.
pub(super) fn terminated(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}

/// A variable of an environment as the system takes it.
pub(super) fn variable(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    Ok(CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())?)
}

/// A list as the system takes it, with a null at its end. The texts have to outlive it.
pub(super) fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// A process that was started here. Left alone it goes on; somebody has to wait for it.
#[derive(Debug)]
pub struct ChildProcess {
    pid: libc::pid_t,
    /// Once it has ended and was waited for: its number may then be another's.
    status: Option<ExitStatus>,
}

impl ChildProcess {
    /// Its number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// What the system said.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.wait_with(libc::WNOHANG)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the system said.
    pub fn wait(&mut self) -> io::Result<()> {
        self.wait_with(0).map(|_| ())
    }

    /// Ends it at once, if it has not ended.
    pub fn kill(&self) {
        if self.status.is_none() {
            // SAFETY: no memory is touched; it was not waited for, so the number is still its own.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
        }
    }

    fn wait_with(&mut self, options: libc::c_int) -> io::Result<Option<ExitStatus>> {
        while self.status.is_none() {
            let mut status = 0;
            // SAFETY: `status` outlives the call.
            match unsafe { libc::waitpid(self.pid, &mut status, options) } {
                0 => return Ok(None),
                -1 => match io::Error::last_os_error() {
                    e if e.kind() == io::ErrorKind::Interrupted => {}
                    e => return Err(e),
                },
                _ => self.status = Some(ExitStatus::from_raw(status)),
            }
        }
        Ok(self.status)
    }
}

/// A pipe, both of whose ends stay in this process: the one to read from, the one to write to.
///
/// # Errors
/// What the system said.
pub fn pipe() -> io::Result<(File, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: the array has room for the two descriptors, which are ours alone from here on.
    unsafe {
        if libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((File::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn sh(script: &str) -> Program {
        let mut shell = Program::new("/bin/sh");
        shell.args(["-c", script]);
        shell
    }

    /// What it says, and its status.
    fn said(mut program: Program) -> (String, i32) {
        let (mut reader, writer) = pipe().unwrap();
        program.streams([None, Some(writer), None]);
        let mut child = program.spawn().unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        child.wait().unwrap();
        (text, child.try_wait().unwrap().unwrap().code().unwrap_or(-1))
    }

    #[test]
    fn a_program_gets_its_name_arguments_variables_and_folder() {
        let mut program = sh("echo $0 $1 $ONE-$TWO-$THREE $(pwd); exit 3");
        program.called(OsStr::new("another")).args(["called", "argument"]);
        program.env("ONE", "old").env("ONE", "1").env("THREE", "3").folder("/dev");
        program.keep_env(|name| name != "THREE");
        assert_eq!(said(program), ("called argument 1-- /dev\n".to_string(), 3));
        let mut program = Program::new("/usr/bin/env");
        program.environment(vec![("ALONE".into(), "yes".into())]);
        assert_eq!(said(program), ("ALONE=yes\n".to_string(), 0));
        // Rust's runtime ignores SIGPIPE here; a writer to a closed pipe ends all the same.
        let ignored = said(sh("grep SigIgn: /proc/self/status")).0;
        let mask = u64::from_str_radix(ignored.trim_start_matches("SigIgn:").trim(), 16).unwrap();
        assert_eq!(mask & 1 << (libc::SIGPIPE - 1), 0, "{ignored}");
    }

    #[test]
    fn a_name_is_looked_for_in_the_path_that_the_program_gets() {
        let folder = std::env::temp_dir().join(format!("gwe-program-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("/bin/echo", folder.join("only-here")).unwrap();
        let mut program = Program::new("only-here");
        program.env("PATH", &folder).arg("found");
        assert_eq!(said(program).0, "found\n");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_keeps_a_program_from_starting_is_told() {
        let errno = |program: Program| program.spawn().unwrap_err().raw_os_error();
        assert_eq!(errno(Program::new("/nowhere")), Some(libc::ENOENT));
        assert_eq!(errno(Program::new("/dev/null")), Some(libc::EACCES));
        let mut lost = sh("true");
        lost.folder(Path::new("/nowhere"));
        assert_eq!(errno(lost), Some(libc::ENOENT));
        let mut refused = sh("true");
        // SAFETY: nothing is called.
        unsafe { refused.prepare(|| Err(io::Error::from_raw_os_error(libc::EPERM))) };
        assert_eq!(errno(refused), Some(libc::EPERM));
        let mut cut = sh("true");
        cut.arg("a\0b");
        assert_eq!(cut.spawn().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let mut gone = Program::new("/nowhere");
        gone.env("NEVER_HERE", "x");
        assert_eq!(gone.exec().raw_os_error(), Some(libc::ENOENT));
        assert_eq!(env::var_os("NEVER_HERE"), None, "the environment is this process's own again");
    }

    #[test]
    fn a_child_is_ended_once_and_its_end_is_kept() {
        let mut child = sh("sleep 77").spawn().unwrap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill();
        child.wait().unwrap();
        assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(libc::SIGKILL));
        child.kill();
        child.wait().unwrap();
    }
}
