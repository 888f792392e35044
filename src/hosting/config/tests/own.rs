//! What ours does and the real one does not: a bad fragment is left out at boot, secrets are not told.

use std::fs;
use std::path::PathBuf;

use crate::hosting::config::{control, load, BadConfiguration, Configuration, Strictness, Surroundings};
use crate::hosting::definition;
use crate::hosting::encode::{encode, Start};

pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("gwe-config-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("d")).unwrap();
        Scratch(path)
    }

    pub(super) fn file(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    pub(super) fn load(&self, strictness: Strictness) -> Result<Configuration, BadConfiguration> {
        let environment = vec![("SECRET_NAME".to_string(), "secret value".to_string())];
        let folder = self.0.display().to_string();
        load(&format!("{folder}/root.conf"), strictness, &Surroundings { environment, host: "host".into(), folder })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ROOT: &str = "[supervisord]\n[include]\nfiles = d/*.conf\n[program:own]\ncommand = x\n";

fn names(configuration: &Configuration) -> Vec<&str> {
    configuration.groups.iter().map(|group| group.name.as_str()).collect()
}

#[test]
fn at_boot_a_bad_fragment_is_left_out_and_said() {
    // Failures.md, "one broken fragment blocks every reloadConfig".
    for bad in [
        "junk",
        "[program:bad]\n",
        "[program:bad]\ncommand = %(nope)s\n",
        "[program:bad]\ncommand=x\nstartsecs=y",
        "a=1",
        "[x]\n\0",
    ] {
        let scratch = Scratch::new("left-out");
        scratch.file("root.conf", ROOT);
        scratch.file("d/a.conf", bad);
        scratch.file("d/b.conf", "[program:good]\ncommand = x\n");
        let configuration = scratch.load(Strictness::LeaveOut).unwrap();
        assert_eq!(names(&configuration), ["good", "own"], "{bad:?}");
        let critical: Vec<_> = configuration.notes.iter().filter(|note| note.level == 50).collect();
        assert_eq!(critical.len(), 1, "{bad:?}");
        assert!(critical[0].text.contains("/d/a.conf\" is left out"), "{}", critical[0].text);
        assert!(!critical[0].text.contains('\n'));
        let fault = scratch.load(Strictness::Refuse).unwrap_err();
        assert!(fault.file.is_some_and(|file| file.ends_with("/d/a.conf")), "{bad:?}");
    }
}

#[test]
fn a_group_goes_on_without_a_member_that_was_left_out() {
    let scratch = Scratch::new("group");
    scratch.file("root.conf", &(ROOT.to_string() + "[group:both]\nprograms = own, bad\n"));
    scratch.file("d/a.conf", "[program:bad]\n");
    let configuration = scratch.load(Strictness::LeaveOut).unwrap();
    assert_eq!(names(&configuration), ["both"]);
    assert_eq!(configuration.groups[0].processes.len(), 1);
    // Nothing was left out: then it is a fault, as in the real one.
    scratch.file("d/a.conf", "");
    let fault = scratch.load(Strictness::LeaveOut).unwrap_err();
    assert_eq!(fault.text, "[program:own] names unknown program or fcgi-program bad");
}

#[test]
fn a_bad_root_file_is_no_fragment() {
    let scratch = Scratch::new("root");
    for bad in ["junk", "[supervisord]\nminfds=x", "[program:x]\ncommand=x"] {
        scratch.file("root.conf", bad);
        assert!(scratch.load(Strictness::LeaveOut).is_err());
    }
}

#[test]
fn no_message_names_the_environment() {
    let scratch = Scratch::new("secret");
    scratch.file("root.conf", "[supervisord]\nenvironment = PASSWORD=\"hidden\"\n[program:x]\ncommand = %(nope)s\n");
    let text = scratch.load(Strictness::Refuse).unwrap_err().text;
    for secret in ["SECRET_NAME", "secret value", "PASSWORD", "hidden", "ENV_"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(
        text.contains("Available names: group_name, here, host_node_name, numprocs, process_num, program_name"),
        "{text}"
    );
}

#[test]
fn the_core_can_read_what_is_written_for_it() {
    let scratch = Scratch::new("encode");
    scratch.file(
        "root.conf",
        "[supervisord]\nuser=root\n[unix_http_server]\nfile=s\n[inet_http_server]\nport=9001\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [program:b]\ncommand=/bin/x 'a b'\nnumprocs=2\nprocess_name=%(process_num)d\nexitcodes=0,255\nenvironment=A=1\n\
         [program:a]\ncommand='\nredirect_stderr=true\nstdout_logfile=l\n[eventlistener:e]\ncommand=x\nevents=TICK\n",
    );
    let configuration = scratch.load(Strictness::Refuse).unwrap();
    let start = Start { folder: "/base", settings: definition::Settings::default(), known_log: &|_, _, _| None };
    let bytes = encode(&configuration, &start).unwrap();
    let read = definition::Configuration::checked(&bytes).unwrap();
    let groups: Vec<_> = read.all_groups().collect();
    let order: Vec<&[u8]> = groups.iter().map(|group| group.name).collect();
    assert_eq!(order, [&b"e"[..], b"a", b"b"]);
    let a = groups[1].all_programs().next().unwrap();
    assert_eq!(
        (a.command_fault, a.read_stdout().logfile, a.read_stderr().logfile),
        (&b"No closing quotation"[..], &b"/base/l"[..], &b""[..])
    );
    let b: Vec<_> = groups[2].all_programs().collect();
    assert_eq!((b.len(), b[0].argv, b[0].environment), (2, &b"/bin/x\0a b\0"[..], &b"A=1\0"[..]));
    assert!(b[1].expects(255) && b[1].expects(0) && !b[1].expects(1));
    assert!(b[0].read_stdout().is_auto && b[0].read_stdout().logfile != b[1].read_stdout().logfile);
    let settings = read.read_settings().unwrap();
    assert_eq!((settings.uid, settings.has_rpc), (0, true));
    assert!(settings.server_url.starts_with(b"unix:///"));
    let servers = crate::hosting::wire::records(settings.servers, definition::Server::decode);
    let addresses: Vec<(&[u8], u32)> = servers.map(|server| (server.address, server.port)).collect();
    assert_eq!(addresses, [(&[127, 0, 0, 1][..], 9001), (b"", 0)]);
}

#[test]
fn where_supervisorctl_asks() {
    let scratch = Scratch::new("control");
    let surroundings =
        Surroundings { environment: vec![("USER".into(), "u".into())], host: "host".into(), folder: "/f".into() };
    let folder = scratch.0.display().to_string();
    let read = |text: &str| {
        scratch.file("root.conf", text);
        control(&format!("{folder}/root.conf"), &surroundings)
    };
    let whole =
        read("[supervisorctl]\nserverurl=unix://%(here)s/../s\nusername=%(ENV_USER)s\npassword=p\nprompt=x\n").unwrap();
    let parent = folder.rsplit_once('/').unwrap().0;
    assert_eq!(
        (whole.serverurl, whole.username.as_deref(), whole.prompt),
        (format!("unix://{parent}/s"), Some("u"), "x".into())
    );
    assert_eq!(read("[supervisorctl]\n").unwrap().serverurl, "http://localhost:9001");
    assert_eq!(read("[supervisord]\n").unwrap_err(), ".ini file does not include supervisorctl section");
    assert!(control("/no/such/file", &surroundings).unwrap_err().starts_with("could not find config file"));
}
