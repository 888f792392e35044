//! Real power loss, without a virtual machine.
//!
//! A power cut is not a `kill -9`: what a program has written may still be in the page cache, and what the kernel has handed
//! to the disk may still be in the disk's write cache. Only what a *completed flush* covered is on the medium; of the rest,
//! any part may be there, in any order, with writes torn between sectors. This experiment makes such disks, and looks whether
//! the gateway keeps its promises on them.
//!
//! 1. **Record** (`recorder`, `recording`). A disk image stands behind QEMU's `blklogwrites` filter, which logs every write and
//!    every flush in order. It is exported over FUSE, a loop device lies on the export, and an ext4 on that. There the real
//!    program does its work, while a witness outside notes what was begun and what was acknowledged, each with the log's
//!    length at that moment (`witness`).
//! 2. **Crash** (`explore`, `replay`, `loss`). For many points of the log, the disk is rebuilt: all that flushes had covered by
//!    then; of the writes since, the seed decides which are kept, dropped or torn.
//! 3. **Check** (`workload`). The disk is mounted, by which ext4 recovers its journal. Then the workload's checker looks: is
//!    all that was acknowledged by then there, is everything wholly old or wholly new, does the program start and go on?
//!
//! A detector that finds nothing proves nothing. So three controls run first (`workloads/control`): a writer that syncs, which must lose
//! nothing; one that does not, of which losses must be found; one that overwrites in place, of which mixtures must be found.
//! And of each workload some states are *backdated*: checked against what was acknowledged only later, which must show as lost.
//!
//! All of it runs apart from the rest of the machine (`apart`): when it ends, however it ends, its mounts, loop devices and
//! processes are gone with it.

mod apart;
mod args;
mod disk;
mod explore;
mod gateway;
mod log;
mod loop_device;
mod loss;
mod needs;
mod random;
mod recorder;
mod recording;
mod replay;
mod run;
mod sys;
mod tally;
mod trouble;
mod witness;
mod workload;
mod workloads;

use args::{Args, USAGE};
use gwe_tests::harness::announce_skip;
use std::process::ExitCode;
use trouble::Outcome;

/// Harm was found, or a detector is broken.
const HARM: u8 = 1;
/// The experiment could not go on, or was asked for something else.
const TROUBLE: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(why) => {
            eprint!("power-loss: {why}\n{USAGE}");
            return ExitCode::from(TROUBLE);
        }
    };
    if args.help {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if args.list {
        workloads::all().iter().for_each(|workload| println!("{}", workload.name()));
        return ExitCode::SUCCESS;
    }
    let result = if apart::is_so() { apart::settle_in().and_then(|()| run::run(&args).map(code)) } else { go_apart() };
    result.unwrap_or_else(|why| {
        eprintln!("power-loss: {why}");
        ExitCode::from(TROUBLE)
    })
}

fn go_apart() -> Outcome<ExitCode> {
    if let Err(missing) = needs::check() {
        announce_skip(&format!("needs {missing}"));
        return Ok(ExitCode::SUCCESS);
    }
    apart::run_again()
}

fn code(good: bool) -> ExitCode {
    ExitCode::from(if good { 0 } else { HARM })
}
