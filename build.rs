//! What cargo's profile cannot say about linking the agent's release build: it goes without unwind tables.
//!
//! A panic aborts there, so nothing ever reads them; but the tables of the prebuilt standard library come along whatever the profile
//! says, and are an eighth of the binary. A linker script leaves them out, where this very toolchain and linker have just
//! linked a program with it; else the build goes on without it, and says so.
//!
//! Before that it compiles the sleeper, which the agent carries in itself (`GWE_WITHOUT_SLEEPER=1` leaves it out), and the core of supervisord, a
//! file of its own beside the agent.
//!
//! `GWE_KEEP_UNWIND_TABLES=1` keeps them, and backtraces: debuggers and profilers then see call stacks of a stripped agent.
//! `GWE_KEEP_SYMBOLS=1` leaves the symbols in the core, for a packager that strips by itself and keeps what it took off; the agent's are never stripped here.
//! `GWE_PACK_RELOCATIONS=1` packs relative relocations, another 40 kB. The image's C library must know them: glibc 2.36, musl 1.2.4.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a resident engine is between two check-ins.
const SLEEPER: &str = "src/sys/doze/sleeper.rs";
/// The parent of all hosted programs, a file of its own.
const CORE: &str = "src/hosting/core/main.rs";
/// What it shares with the front end, beside its own folder.
const HOSTING: &str = "src/hosting";
/// Its name, in `target/release` and on images.
const CORE_NAME: &str = "hosting-core";
/// A program without libraries, whose few bytes are not spread over pages.
const ALONE: [&str; 6] =
    ["-nostdlib", "-nostartfiles", "-static", "-Wl,-z,noseparate-code", "-Wl,-z,norelro", "-Wl,--build-id=none"];

const STRIPPED: &str = "strip=symbols";

/// The processors whose system calls it knows.
const ARCHITECTURES: [&str; 3] = ["x86_64", "aarch64", "arm"];

const WITHOUT_SLEEPER: &str = "GWE_WITHOUT_SLEEPER";
const WITHOUT_CORE: &str = "GWE_WITHOUT_CORE";
const KEEP_TABLES: &str = "GWE_KEEP_UNWIND_TABLES";
const KEEP_SYMBOLS: &str = "GWE_KEEP_SYMBOLS";
const PACK_RELOCATIONS: &str = "GWE_PACK_RELOCATIONS";

/// What src/sys/unwind.rs is compiled by.
const WITHOUT_BACKTRACES: &str = "without_backtraces";

/// Beside the linker's own script, not in its place. 32-bit ARM has other tables, and keeps them.
const WITHOUT_TABLES: &str =
    "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*) } }
INSERT BEFORE .text;
";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={SLEEPER}");
    println!("cargo:rerun-if-changed={HOSTING}");
    build_sleeper();
    build_core();
    for variable in [WITHOUT_SLEEPER, WITHOUT_CORE, KEEP_TABLES, KEEP_SYMBOLS, PACK_RELOCATIONS] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    println!("cargo:rustc-check-cfg=cfg({WITHOUT_BACKTRACES})");
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    if !is(KEEP_TABLES, "1") {
        println!("cargo:rustc-cfg={WITHOUT_BACKTRACES}");
        if !is("CARGO_CFG_TARGET_ARCH", "arm") {
            leave_out_tables();
        }
    }
    if is(PACK_RELOCATIONS, "1") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

fn leave_out_tables() {
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let script = folder.join("without-tables.ld");
    let argument = format!("-Wl,-T,{}", script.display());
    let tried = std::fs::write(&script, WITHOUT_TABLES).is_ok() && links(&folder, &argument);
    if tried {
        println!("cargo:rustc-link-arg-bins={argument}");
    } else {
        println!("cargo:warning=this linker cannot leave unwind tables out: the agent gets some 140 kB larger");
    }
}

/// Whether the toolchain links a small program with the argument.
fn links(folder: &Path, argument: &str) -> bool {
    let source = folder.join("trial.rs");
    if std::fs::write(&source, "fn main() { println!(\"{:?}\", std::env::args_os()); }\n").is_err() {
        return false;
    }
    let mut rustc = rustc_for(targets()[0].as_deref());
    rustc.args(["-C", "panic=abort", "-C"]).arg(format!("link-arg={argument}"));
    rustc.arg("-o").arg(folder.join("trial")).arg(&source).stdout(Stdio::null()).stderr(Stdio::null());
    rustc.status().is_ok_and(|status| status.success())
}

/// A program of its own, which the agent carries in itself. An agent without it works, and has 3 MB of memory for itself all the time: so that
/// is built only where somebody asked for it.
fn build_sleeper() {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("sleeper");
    let built = match is(WITHOUT_SLEEPER, "1") {
        true => std::fs::write(&out, b"").map_err(|error| format!("cannot write {}: {error}", out.display())),
        false => build_alone("sleeper", SLEEPER, &[STRIPPED.to_string()], &out),
    };
    if let Err(why) = built {
        let target = env::var("TARGET").unwrap_or_default();
        panic!(
            "the sleeper cannot be built for {target}: {why}\n{WITHOUT_SLEEPER}=1 builds a gwe without it, which takes some 3 MB of memory more while it waits"
        );
    }
}

/// A file of its own beside the agent: in the folder where cargo puts that. Without it our own supervisord cannot run.
fn build_core() {
    if is(WITHOUT_CORE, "1") {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let file = out.join(CORE_NAME);
    // OUT_DIR is build/PACKAGE/out in it.
    let beside = out.ancestors().nth(3).map(|folder| folder.join(CORE_NAME));
    let built = build_small_core(&out, &file).and_then(|()| match &beside {
        // A running one is not written over, but replaced.
        Some(beside) => {
            let new = beside.with_extension("new");
            let moved = std::fs::copy(&file, &new).and_then(|_| std::fs::rename(&new, beside));
            moved.map_err(|error| format!("cannot write {}: {error}", beside.display()))
        }
        None => Ok(()),
    });
    if let Err(why) = built {
        panic!("the core of supervisord cannot be built: {why}\n{WITHOUT_CORE}=1 builds a gwe that hosts under Python's supervisord only");
    }
}

/// Without unwind tables and as one whole, where this toolchain can; else some 15 kB larger.
fn build_small_core(folder: &Path, file: &Path) -> Result<(), String> {
    let script = folder.join("core-without-tables.ld");
    let strip: &[String] = if is(KEEP_SYMBOLS, "1") { &[] } else { &[STRIPPED.to_string()] };
    let mut options = [strip, &["codegen-units=1".to_string(), "lto".to_string()]].concat();
    if !is("CARGO_CFG_TARGET_ARCH", "arm") && std::fs::write(&script, WITHOUT_TABLES).is_ok() {
        options.push(format!("link-arg=-Wl,-T,{}", script.display()));
    }
    build_alone("hosting_core", CORE, &options, file).or_else(|_| build_alone("hosting_core", CORE, strip, file))
}

/// A program without libraries, for the target.
fn build_alone(name: &str, source: &str, options: &[String], out: &Path) -> Result<(), String> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if !ARCHITECTURES.contains(&arch.as_str()) {
        return Err(format!("{source} knows the system calls of {} only, not of {arch}", ARCHITECTURES.join(", ")));
    }
    let mut said = String::new();
    for target in targets() {
        let mut rustc = rustc_for(target.as_deref());
        rustc.args(["--crate-name", name, "--crate-type", "bin", "-C", "opt-level=z", "-C", "panic=abort"]);
        rustc.args(["-C", "relocation-model=static", "-C", "force-unwind-tables=no"]);
        // Targets of musl bring start files of their own, which no argument to the linker leaves out.
        if target.as_ref().map_or(is("CARGO_CFG_TARGET_ENV", "musl"), |target| target.contains("-musl")) {
            rustc.args(["-C", "link-self-contained=no"]);
        }
        ALONE.iter().for_each(|argument| {
            rustc.args(["-C", &format!("link-arg={argument}")]);
        });
        options.iter().for_each(|option| {
            rustc.args(["-C", option]);
        });
        match rustc.arg("-o").arg(out).arg(source).output() {
            Ok(done) if done.status.success() => return Ok(()),
            Ok(done) => said.push_str(&String::from_utf8_lossy(&done.stderr)),
            Err(error) => said = format!("rustc does not run: {error}"),
        }
    }
    Err(said)
}

/// The targets that such a program is compiled for, one after the other until one succeeds; `None` is this machine's. Where the standard
/// library is built along (-Zbuild-std), the target has no prebuilt one. The same processor's with another C library will do: none is in it.
fn targets() -> Vec<Option<String>> {
    let own = env::var("TARGET").ok().filter(|target| env::var("HOST").as_ref() != Ok(target));
    let other = own.as_ref().map(|target| target.replace("-musl", "-gnu").replace("-uclibc", "-gnu"));
    match other {
        Some(other) if Some(&other) != own.as_ref() => vec![own, Some(other)],
        _ => vec![own],
    }
}

/// The compiler as cargo would call it for the target; without one, for this machine.
fn rustc_for(target: Option<&str>) -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")));
    rustc.args(["--edition", "2021"]);
    if let Some(target) = target {
        rustc.arg("--target").arg(target);
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    rustc
}

fn is(variable: &str, value: &str) -> bool {
    env::var(variable).is_ok_and(|is| is == value)
}
