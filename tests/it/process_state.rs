//! What a process is given by whoever starts it does not decide what it does (docs/spec/failures.md, case 03), and messages name what is missing
//! (docs/spec/failures.md, case 12).

use gwe_tests::harness::{run, Kind, Site, Tarball, PATIENCE};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// elastic-agent#5633, rancher/system-agent#244: an app's own user has to get into its folder.
#[test]
fn the_umask_of_who_starts_the_agent_is_not_the_apps() {
    let site = Site::new();
    site.deploy("app.v1.tar.gz", &Tarball::app("mkdir made && echo x > made/file"));
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && exec \"$0\" --once"]).arg(site.gateway.command("gwe").get_program());
    command.env("GWE_ROOT", site.gateway.root().root());
    run(&mut command, PATIENCE).ok();
    let mode = |path: &str| {
        let path = site.gateway.root().path("var/lib/gwe/apps/app").join(path);
        std::fs::metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode() & 0o777
    };
    for (path, wanted) in [(".", 0o755), ("a", 0o755), ("a/made", 0o755), ("a/made/file", 0o644)] {
        assert_eq!(mode(path), wanted, "{path}");
    }
}

/// acme.sh#394, netdata#7536.
#[test]
fn an_interpreter_that_is_missing_is_named() {
    let site = Site::new();
    let tarball = Tarball::new().entry("install.sh", 0o755, Kind::File(b"#!/no/such/bash\n".to_vec()));
    let status = site.install("app.v1.tar.gz", &tarball);
    let told = "this gateway does not have what its first line names: #!/no/such/bash";
    assert!(status.contains(told), "{status}");
}
