//! Settings as a gateway finds and keeps them.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn scratch(name: &str) -> Paths {
    let dir = std::env::temp_dir().join(format!("gwe-config-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("etc/gwe")).unwrap();
    Paths::new(dir)
}

#[test]
fn a_fresh_gateway_shows_empty_values_and_defaults() {
    let config = Config::load(scratch("fresh"));
    assert_eq!(config.text(Which::Gateway), "[device]\ncik = ''\nmodel = ''\nvendor = ''\nuuid = ''\niface = ''\n");
    assert_eq!(config.update_interval().as_secs(), 14400);
    assert_eq!(config.user_agent(), format!("GatewayEngine-v{VERSION}"));
    assert!(config.cik().is_none());
}

#[test]
fn what_is_set_survives_is_private_and_clears() {
    let paths = scratch("set");
    fs::write(paths.factory().join("Gateway.cfg"), "[device]\nvendor = prod\nmodel = prod\niface = eth0\n").unwrap();
    let mut config = Config::load(paths.clone());
    assert_eq!(config.server(), "https://prod.m2.exosite.io");
    config.set(Which::Gateway, "cik", &"a".repeat(40)).unwrap();
    config.set(Which::Gateway, "uuid", "unit-1").unwrap();
    config.set(Which::Engine, "server", "http://127.0.0.1:80/").unwrap();
    let again = Config::load(paths.clone());
    assert_eq!((again.uuid(), again.vendor()), ("unit-1", "prod"));
    assert!(again.cik().is_some());
    assert_eq!(again.server(), "http://127.0.0.1:80");
    let mode = fs::metadata(paths.state().join("Gateway.cfg")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds the CIK");
    config.set(Which::Gateway, "uuid", "\"''\"").unwrap();
    assert_eq!(Config::load(paths.clone()).uuid(), "");
    fs::remove_dir_all(paths.root()).unwrap();
}

/// docs/spec/failures.md, case 08 (gagent#475): what is in the files and does not fit is told with file, line and key.
#[test]
fn what_does_not_fit_is_told_with_its_place_and_stops_what_would_go_wrong() {
    let paths = scratch("problems");
    let (gateway, engine) = (paths.factory().join("Gateway.cfg"), paths.factory().join("Engine.config"));
    for (file, text, line, key, obstacle) in [
        (&engine, "[engine]\n; x\nserver = gw.example.com\n", 3, "server", true),
        (&engine, "[engine]\nupdate_interval = 1h\n", 2, "update_interval", false),
        (&engine, "[engine]\nkeep_clock = false\n", 2, "keep_clock", false),
        (&engine, "[engine]\ncheck_in_limit = 60\n", 2, "check_in_limit", false),
        (&gateway, "[device]\nvendor = p\nuuid = AB 12 34\n", 3, "uuid", true),
        (&gateway, "[device]\nvendor = https://p.m2.exosite.io\n", 2, "vendor", true),
    ] {
        fs::write(file, text).unwrap();
        let config = Config::load(paths.clone());
        let problems = config.problems();
        assert_eq!(problems.len(), 1, "{text}");
        let told = problems[0].to_string();
        assert!(told.starts_with(&format!("{}, line {line}: {key}", file.display())), "{told}");
        assert_eq!(config.obstacle().map(|p| p.key), obstacle.then_some(key), "{text}");
        fs::remove_file(file).unwrap();
    }
    fs::remove_dir_all(paths.root()).unwrap();
}

/// The layer below counts before the default does.
#[test]
fn a_bad_value_over_a_good_one_leaves_the_good_one_in_force() {
    let paths = scratch("below");
    fs::create_dir_all(paths.state()).unwrap();
    fs::write(paths.factory().join("Engine.config"), "[engine]\nserver = http://127.0.0.1:1\n").unwrap();
    fs::write(paths.state().join("Engine.config"), "[engine]\nserver = nonsense\n").unwrap();
    let config = Config::load(paths.clone());
    assert_eq!((config.server().as_str(), config.problems().len()), ("http://127.0.0.1:1", 1));
    assert!(config.obstacle().is_none());
    fs::remove_dir_all(paths.root()).unwrap();
}

/// docs/spec/failures.md, A14: a damaged file may have held a pin.
#[test]
fn no_tls_with_the_system_s_roots_where_a_pin_may_be_lost() {
    let paths = scratch("pin");
    fs::create_dir_all(paths.state()).unwrap();
    for (factory, server, stops) in [
        ("[engine]\nserver = https://h\n", "", true),
        ("[engine]\nserver = http://127.0.0.1:1\n", "", false),
        ("[engine]\nserver = https://h\ncacert = /etc/gwe/ca.pem\n", "", false),
        ("\0\0\0", "p", true),
    ] {
        fs::write(paths.factory().join("Engine.config"), factory).unwrap();
        fs::write(paths.factory().join("Gateway.cfg"), format!("[device]\nvendor = '{server}'\n")).unwrap();
        fs::write(paths.state().join("Engine.config"), "\0\0\0").unwrap();
        assert_eq!(Config::load(paths.clone()).obstacle().is_some(), stops, "{factory}");
    }
    fs::remove_dir_all(paths.root()).unwrap();
}

#[test]
fn a_check_in_may_take_as_long_as_an_install() {
    let mut config = Config::load(scratch("limit"));
    config.set(Which::Engine, "timeout", "900").unwrap();
    config.set(Which::Engine, "check_in_limit", "60").unwrap();
    assert_eq!(config.check_in_limit().as_secs(), 2 * (900 + 10));
    assert_eq!(config.problems().len(), 1);
}

#[test]
fn a_bad_value_names_what_it_must_be_and_changes_nothing() {
    let mut config = Config::load(scratch("bad"));
    let error = config.set(Which::Engine, "update_interval", "soon").unwrap_err().to_string();
    assert!(error.contains("update_interval cannot be 'soon'") && error.contains("seconds"), "{error}");
    assert_eq!(config.update_interval().as_secs(), 14400);
}
