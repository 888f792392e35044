//! A core that takes over and does not know the memory of the one before (docs/hosting.md, "A newer core over the air"): the agent compares first, so
//! it comes by hand only.

use super::hosting_listen::Hosted;
use gwe_tests::harness::{announce_skip, exe, wait_until, PATIENCE};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{symlink, FileExt};
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = "[program:p]\ncommand = sleep 600\nstartsecs = 0\n";
const UNKNOWN: &str = "this core does not know the memory of the one before, and there is no way back to that: the end";
const BACK: &str = "the newer core does not know this one's memory: this one goes on with all that was there";

/// The core of this tree, but for a number that says its memory is another.
fn core_of_another_layout(folder: &Path) -> Option<PathBuf> {
    let source = folder.join("hosting");
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/hosting");
    assert!(Command::new("cp").arg("-r").arg(tree).arg(&source).status().unwrap().success());
    let state = source.join("state.rs");
    let text = fs::read_to_string(&state).unwrap();
    let other = text.replace("pub const LAYOUT: u32 = 1;", "pub const LAYOUT: u32 = 1001;");
    assert_ne!(text, other);
    fs::write(state, other).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
    rustc.args(["--edition", "2021", "--crate-name", "hosting_core", "--crate-type", "bin", "-A", "warnings"]);
    for option in [
        "opt-level=z",
        "panic=abort",
        "relocation-model=static",
        "link-arg=-nostdlib",
        "link-arg=-nostartfiles",
        "link-arg=-static",
    ] {
        rustc.args(["-C", option]);
    }
    let core = folder.join("other-core");
    match rustc.arg("-o").arg(&core).arg(source.join("core/main.rs")).output() {
        Ok(built) => assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr)),
        Err(why) => {
            announce_skip(&format!("needs rustc ({why})"));
            return None;
        }
    }
    Some(core)
}

#[test]
fn a_core_that_does_not_know_the_memory_gives_way_to_the_one_before() {
    let Some(mut hosted) = Hosted::start(PROGRAM, &[]) else { return };
    let Some(other) = core_of_another_layout(hosted.root.root()) else { return };
    let (pid, program) = (hosted.daemon.pid(), hosted.call("supervisor.getProcessInfo", "p"));
    let before = exe(pid);
    let link = hosted.root.path("run/pid.core");
    // Twice: nothing of the first time is left.
    for times in 1..=2 {
        fs::remove_file(&link).unwrap();
        symlink(&other, &link).unwrap();
        hosted.daemon.signal(libc::SIGUSR1);
        wait_until("the one before is back", PATIENCE, || hosted.root.read("log").matches(BACK).count() == times);
        assert_eq!(exe(pid), before);
    }
    let pid_of = |info: &str| info.split("pid").nth(1).map(str::to_string);
    assert_eq!(pid_of(&hosted.call("supervisor.getProcessInfo", "p")), pid_of(&program), "no program notices");
}

/// By no means for ever: a memory that nobody knows.
#[test]
fn a_memory_that_no_core_knows_is_the_end_and_said() {
    let Some(mut hosted) = Hosted::start(PROGRAM, &[]) else { return };
    // Behind the magic number, the layout and the sequence: the sizes, and of these a process's.
    const PROCESS_SIZE: u64 = 20;
    let memory = OpenOptions::new().write(true).open(format!("/proc/{}/fd/4", hosted.daemon.pid())).unwrap();
    memory.write_all_at(&1000_u32.to_ne_bytes(), PROCESS_SIZE).unwrap();
    hosted.daemon.signal(libc::SIGUSR1);
    let status = hosted.daemon.wait(PATIENCE).expect("it ends");
    assert_eq!(status.code(), Some(70));
    assert!(hosted.root.read("log").contains(UNKNOWN), "{}", hosted.root.read("log"));
}
