//! The commands that docs/gmq.md shows, run as they stand there but for the port.

use gwe_tests::harness::{run, Gmq, Murano};
use gwe_tests::skip;
use std::process::Command;
use std::time::Duration;

#[test]
fn the_commands_of_the_document_work() {
    if !Command::new("curl").arg("--version").output().is_ok_and(|out| out.status.success()) {
        skip!("needs curl");
    }
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/gmq.md")).unwrap();
    let (murano, mut shown) = (Murano::start(), 0);
    let gmq = Gmq::start(&murano.url());
    let program = gmq.gateway().command("gmq").get_program().to_owned();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines() {
            let line = line.replace("localhost:8090", &format!("localhost:{}", gmq.port()));
            let line = line.strip_prefix("gmq").map_or(line.clone(), |rest| format!("\"$GMQ\"{rest}"));
            let line = line.replace("curl -sS", "curl -sS --fail");
            let mut shell = Command::new("sh");
            shell.args(["-c", &line]).env("GMQ", &program).env("GWE_ROOT", gmq.gateway().root().root());
            run(&mut shell, Duration::from_secs(20)).ok();
            shown += 1;
        }
    }
    assert!(shown >= 10, "{shown} commands");
    gmq.drained(Duration::from_secs(20));
    assert_eq!(murano.history("02ab7fc89", "temperature"), ["21.5", "21.6"]);
    assert_eq!(murano.history("02ab7fc89", "device_report").len(), 1);
}
