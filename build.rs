//! What cargo's profile cannot say about linking the agent's release build: it goes without unwind tables.
//!
//! A panic aborts there, so nothing ever reads them; but the tables of the prebuilt standard library come along whatever the profile
//! says, and are an eighth of the binary. A linker script leaves them out, where this very toolchain and linker have just
//! linked a program with it; else the build goes on without it, and says so.
//!
//! `GWE_KEEP_UNWIND_TABLES=1` keeps them: debuggers and profilers then see call stacks of a stripped agent.
//! `GWE_PACK_RELOCATIONS=1` packs relative relocations, another 40 kB. The image's C library must know them: glibc 2.36, musl 1.2.4.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a resident engine is between two check-ins.
const SLEEPER: &str = "src/sys/doze/sleeper.rs";
/// A program without libraries, whose few bytes are not spread over pages.
const ALONE: [&str; 6] =
    ["-nostdlib", "-nostartfiles", "-static", "-Wl,-z,noseparate-code", "-Wl,-z,norelro", "-Wl,--build-id=none"];

const KEEP_TABLES: &str = "GWE_KEEP_UNWIND_TABLES";
const PACK_RELOCATIONS: &str = "GWE_PACK_RELOCATIONS";

/// Beside the linker's own script, not in its place. 32-bit ARM has other tables, and keeps them.
const WITHOUT_TABLES: &str =
    "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*) } }
INSERT BEFORE .text;
";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={SLEEPER}");
    build_sleeper();
    for variable in [KEEP_TABLES, PACK_RELOCATIONS] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    if !is(KEEP_TABLES, "1") && !is("CARGO_CFG_TARGET_ARCH", "arm") {
        leave_out_tables();
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
    let mut rustc = rustc();
    rustc.args(["-C", "panic=abort", "-C"]).arg(format!("link-arg={argument}"));
    rustc.arg("-o").arg(folder.join("trial")).arg(&source).stdout(Stdio::null()).stderr(Stdio::null());
    rustc.status().is_ok_and(|status| status.success())
}

/// A program of its own, which the agent carries in itself. Where it cannot be built there is an empty file, and the engine sleeps as
/// it is.
fn build_sleeper() {
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let out = folder.join("sleeper");
    let is_known = ["x86_64", "aarch64", "arm"].iter().any(|arch| is("CARGO_CFG_TARGET_ARCH", arch));
    if is_known && is("CARGO_CFG_TARGET_OS", "linux") {
        let mut rustc = rustc();
        rustc.args(["--crate-name", "sleeper", "--crate-type", "bin", "-C", "opt-level=z", "-C", "panic=abort"]);
        rustc.args(["-C", "relocation-model=static", "-C", "strip=symbols", "-C", "force-unwind-tables=no"]);
        ALONE.iter().for_each(|argument| {
            rustc.args(["-C", &format!("link-arg={argument}")]);
        });
        rustc.arg("-o").arg(&out).arg(SLEEPER).stdout(Stdio::null());
        if rustc.status().is_ok_and(|status| status.success()) {
            return;
        }
        println!("cargo:warning=the sleeper cannot be built: a resident gwe takes some 3 MB of memory more");
    }
    if let Err(error) = std::fs::write(&out, b"") {
        println!("cargo:warning=cannot write {}: {error}", out.display());
    }
}

/// The compiler as cargo would call it for the target.
fn rustc() -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")));
    rustc.args(["--edition", "2021"]);
    if let Some(target) = env::var_os("TARGET").filter(|target| env::var_os("HOST").as_ref() != Some(target)) {
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
