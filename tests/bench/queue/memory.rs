//! Memory: idle, beside the idle engine, and with a million records queued.

use super::gmq::App;
use super::table::Row;
use gwe_tests::harness::{agent_binary, run, wait_for, Gmq};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// What an idle gmq may take more than the idle engine, in kB.
const BEYOND_ENGINE: f64 = 300.0;
/// What a backlog of a million records may add, in kB: nothing that grows.
const BACKLOG: f64 = 100.0;

const CFG: &str = "[unq]\nbatch_record_period = 3600\n[db]\nmax_bytes = 536870912\n";

/// Memory of a process in kB: proportional share, private and dirty.
fn memory(pid: u32) -> (f64, f64) {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process runs");
    let kb = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).expect("a field of smaps_rollup");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0)
    };
    (kb("Pss:"), kb("Private_Dirty:"))
}

/// Pages of a program file that was just written count as dirty until they are on the disk.
fn written(program: &Path) {
    std::fs::File::open(program).and_then(|file| file.sync_all()).expect("a program file can be synced");
}

/// The idle engine's memory; `None`: this build has no engine that idles.
fn engine(gmq: &Gmq) -> Option<(f64, f64)> {
    // A copy, so that gmq's pages are not shared with it.
    let copy = gmq.gateway().root().path("usr/bin/gwe");
    std::fs::create_dir_all(copy.parent()?).ok()?;
    std::fs::copy(agent_binary(), &copy).ok()?;
    written(&copy);
    let mut child = Command::new(&copy)
        .env("GWE_ROOT", gmq.gateway().root().root())
        .stderr(std::process::Stdio::null())
        .spawn()
        .ok()?;
    let mut least: Option<(f64, f64)> = None;
    // It checks in first, and idles then.
    for _ in 0..10 {
        std::thread::sleep(Duration::from_secs(1));
        if let Ok(None) = child.try_wait() {
            let (pss, dirty) = memory(child.id());
            least = Some(least.map_or((pss, dirty), |l| (l.0.min(pss), l.1.min(dirty))));
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    least
}

/// All of it.
pub fn rows() -> Vec<Row> {
    written(&agent_binary());
    let mut gmq = Gmq::with("http://127.0.0.1:1", CFG);
    let mut app = App::new(gmq.port(), 100);
    app.put(1);
    std::thread::sleep(Duration::from_secs(3));
    let idle = memory(gmq.server().pid());
    let mut rows =
        vec![Row::plain("gmq: idle, PSS", idle.0, "kB"), Row::plain("gmq: idle, private and dirty", idle.1, "kB")];
    match engine(&gmq) {
        Some((pss, dirty)) => {
            rows.push(Row::limited("gmq: PSS beyond the idle engine", idle.0 - pss, "kB", BEYOND_ENGINE));
            rows.push(Row::limited(
                "gmq: private and dirty beyond the idle engine",
                idle.1 - dirty,
                "kB",
                BEYOND_ENGINE,
            ));
        }
        None => gwe_tests::harness::announce_skip("the idle engine: it does not idle here"),
    }
    (0..1000).for_each(|_| {
        app.put(1000);
    });
    assert_eq!(gmq.count("queued"), 1_000_001);
    drop(app);
    std::thread::sleep(Duration::from_secs(3));
    let full = memory(gmq.server().pid());
    rows.push(Row::plain("gmq: with 1,000,000 records queued, private and dirty", full.1, "kB"));
    rows.push(Row::limited("gmq: what they add", full.1 - idle.1, "kB", BACKLOG));
    gmq.stop();
    // As after a boot: nothing of it is in memory.
    let is_cold = std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
    let begun = Instant::now();
    gmq.run();
    let name = if is_cold { "gmq: opening 133 MB of backlog, cold" } else { "gmq: opening 133 MB of backlog" };
    rows.push(Row::plain(name, begun.elapsed().as_secs_f64() * 1000.0, "ms"));
    wait_for("it counts", Duration::from_secs(10), || (gmq.count("queued") == 1_000_001).then_some(()));
    let peak = run(
        Command::new("grep").arg("VmHWM").arg(format!("/proc/{}/status", gmq.server().pid())),
        Duration::from_secs(5),
    );
    let peak = peak.stdout.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0);
    rows.push(Row::plain("gmq: most resident while opening", peak, "kB"));
    rows
}
