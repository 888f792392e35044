//! The real supervisord's parser against ours: what it refuses we refuse, and where both accept, it reads our fragment with
//! the same values that it reads in the app's own text.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use miniserde::json::{self, Value};

use super::super::{fragment, FragmentDefaults, ThisGateway};
use crate::sys::tests::announce_skip;

/// Reads tasks, one JSON value a line; answers each with what supervisord makes of the app's text, its section renamed and
/// the defaults of the specification added, and of our fragment.
const DRIVER: &str = r#"
import json, os, sys, tempfile, warnings
warnings.simplefilter('ignore')
from supervisor.options import ServerOptions, UnhosedConfigParser
def options(here):
    o = ServerOptions(); o.here = here; o.configfile = 'none'
    return o
def plain(value):
    return value if isinstance(value, (int, str, bool, list, dict, type(None))) else getattr(value, '__name__', str(value))
def values(parser, here):
    o = options(here)
    parser.expansions = o.environ_expansions
    parser.expand_here(here)
    groups = o.process_groups_from_parser(parser)
    names = ['req_param_names', 'optional_param_names']
    return [{'group': g.name, 'priority_of_group': g.priority,
             'processes': [{n: plain(getattr(p, n)) for k in names for n in getattr(p, k)} for p in g.process_configs]}
            for g in groups]
def read(text):
    parser = UnhosedConfigParser()
    with tempfile.NamedTemporaryFile('w', suffix='.conf', encoding='utf-8', newline='') as f:
        f.write(text); f.flush()
        parser.read(f.name)
    return parser
def theirs(task):
    parser = read(task['conf'])
    if not parser.has_section('supervisord'):
        raise ValueError('no supervisord section')
    items = dict(parser.items('supervisord'))
    parser.remove_section('supervisord')
    section = 'program:' + task['app']
    parser.add_section(section)
    for key, value in list(task['defaults'].items()) + list(items.items()):
        parser.set(section, key, value)
    return values(parser, task['here'])
for line in sys.stdin:
    task = json.loads(line)
    answer = {}
    for key, read_it in (('theirs', lambda: theirs(task)), ('ours', lambda: values(read(task['fragment']), '/elsewhere'))):
        if key == 'ours' and task['fragment'] is None:
            answer[key] = None
            continue
        try:
            answer[key] = json.dumps(read_it(), sort_keys=True)
        except Exception as e:
            answer[key] = None
            answer[key + '_error'] = '%s: %s' % (type(e).__name__, e)
    print(json.dumps(answer), flush=True)
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// Both accept, with the same values.
    Same,
    /// Both refuse.
    Refused,
    /// supervisord accepts what we refuse, on purpose.
    Stricter,
    /// supervisord refuses the text; we read it, and write it so that supervisord takes it.
    Mended,
}

use Want::{Mended, Refused, Same, Stricter};

/// The option lines, and what is wanted. `[supervisord]` is put before those that do not begin with `[` or a comment.
const ROWS: &[(&str, Want)] = &[
    // The shape of the text.
    ("command = /bin/cat", Same),
    ("command=/bin/cat", Same),
    ("command: /bin/cat", Same),
    ("command : /bin/cat = x", Same),
    ("COMMAND = /bin/cat\nCommand = /bin/sleep 1", Same),
    ("command = /bin/cat ; inline", Same),
    ("command = /bin/cat # inline", Same),
    ("command = /bin/cat;not;a#comment", Same),
    ("command =#not a comment", Same),
    ("command = /bin/cat \t; inline\n; whole\n# whole\n  # indented\npriority = 5", Same),
    ("command = /bin/sh -c 'a\n  b'", Same),
    ("command = /bin/cat\n\n  more\n\n\npriority=1", Same),
    ("command = /bin/cat\n ; comment inside\n  more", Same),
    ("command =\n  /bin/cat", Same),
    ("   command = /bin/cat\n   priority = 3", Same),
    ("   command = /bin/cat\n priority = 3", Same),
    ("command = /bin/cat\r\npriority = 4\r\n", Same),
    ("command = /bin/cat\rpriority = 4\r", Same),
    ("command = /bin/cat\n[supervisord]\npriority = 9", Same),
    ("; comment\n\n[supervisord] ; comment\ncommand = x", Same),
    ("[supervisord]extra\ncommand = x", Same),
    ("[supervisord]\n\tcommand = x\n\t[supervisord]\n\tpriority = 3", Same),
    ("[supervisord]\ncommand = x\n\t[supervisord]\npriority = 3", Same),
    ("command = caf\u{e9} \u{1f600}", Same),
    ("command = a\u{a0}b", Same),
    ("nonsense = %(nope)s %", Same),
    ("command", Refused),
    ("= x", Refused),
    ("command = x\njunk", Refused),
    ("; nothing", Refused),
    ("[ supervisord ]\ncommand = x", Refused),
    ("[Supervisord]\ncommand = x", Refused),
    ("[supervisord\ncommand = x", Refused),
    ("[supervisord]\n\u{feff}command = x", Same),
    ("\u{feff}[supervisord]\ncommand = x", Mended),
    ("command = a\u{b}b", Stricter),
    ("[supervisord]\ncommand = x\n[program:other]\ncommand = y", Stricter),
    ("[supervisord]\ncommand = x\n[DEFAULT]\nstartsecs = 4", Stricter),
    ("[supervisord]\ncommand = x\n[include]\nfiles = /etc/*", Stricter),
    // Whole numbers.
    ("priority = 1_0", Same),
    ("priority = -5", Same),
    ("startsecs = +3", Same),
    ("startretries = 007", Same),
    ("startsecs =", Refused),
    ("startsecs = 1.5", Refused),
    ("startretries = 0x10", Refused),
    ("stopwaitsecs = ten", Refused),
    ("stdout_logfile_backups = many", Refused),
    ("numprocs_start = x", Refused),
    ("priority = 99999999999999999999", Stricter),
    ("priority = \u{663}", Stricter),
    // True and false.
    ("autostart = TRUE\nredirect_stderr = off\nstdout_events_enabled = 1\nstderr_syslog = No", Same),
    ("autostart = maybe", Refused),
    ("autostart =", Refused),
    ("redirect_stderr = 2", Refused),
    ("stdout_syslog = x", Refused),
    ("stderr_events_enabled = t", Refused),
    ("autorestart = unexpected", Same),
    ("autorestart = Yes", Same),
    ("autorestart = always", Refused),
    ("stopasgroup = true", Same),
    ("stopasgroup = true\nkillasgroup = false", Refused),
    ("killasgroup = true", Same),
    // Sizes, signals, exit codes, octal.
    ("stdout_logfile_maxbytes = 1mb\nstderr_logfile_maxbytes = 10 KB\nstdout_capture_maxbytes = 1GB", Same),
    ("stdout_logfile_maxbytes = 0", Same),
    ("stdout_logfile_maxbytes = 5M", Refused),
    ("stderr_capture_maxbytes = KB", Refused),
    ("stopsignal = INT", Same),
    ("stopsignal = sigusr2", Same),
    ("stopsignal = 9", Same),
    ("stopsignal = RTMIN", Same),
    ("stopsignal = NOPE", Refused),
    ("stopsignal = 77", Refused),
    ("stopsignal = _DFL", Stricter),
    ("exitcodes = 0, 2,255", Same),
    ("exitcodes =", Same),
    ("exitcodes = 0,256", Refused),
    ("exitcodes = 0;2", Refused),
    ("exitcodes = 0 ;2", Same),
    ("umask = 022", Same),
    ("umask = 0o27", Same),
    ("umask = 9", Refused),
    // Users and folders.
    ("user = root", Same),
    ("user = 0", Same),
    ("user = no_such_user_here", Refused),
    ("user = 4294967", Refused),
    ("user =", Refused),
    ("directory = /no/such/folder", Same),
    ("stdout_logfile = /tmp/x.log\nstderr_logfile = NONE", Same),
    ("stdout_logfile = AUTO", Same),
    ("stdout_logfile = syslog", Same),
    ("stdout_logfile =", Same),
    ("stdout_logfile = x.log", Same),
    ("stdout_logfile = /no/such/folder/x.log", Refused),
    ("stderr_logfile = /etc/passwd/x.log", Refused),
    ("stdout_logfile = /tmp/100%%%%.log", Same),
    ("stdout_logfile = /tmp/100%%.log", Refused),
    ("stdout_logfile = ./x.log", Stricter),
    // Names in values.
    ("command = /bin/%(program_name)s %(group_name)s %(process_num)02d %(numprocs)d", Same),
    ("command = %(here)s/run.sh", Same),
    ("directory = %(here)s/sub\nenvironment = A=\"%(here)s\"", Same),
    ("command = x %(host_node_name)s", Same),
    ("command = x %(ENV_PATH)s", Same),
    ("command = 100%% sure", Same),
    ("command = %(nope)s", Refused),
    ("command = %(ENV_NO_SUCH_VARIABLE_HERE)s", Refused),
    ("command = 50%", Refused),
    ("command = 50% x", Refused),
    ("command = %(program_name)d", Refused),
    ("command = %(program_name", Refused),
    ("startsecs = %(process_num)d", Refused),
    ("priority = %(program_name)s", Refused),
    ("stdout_logfile = /tmp/%(program_name)s_%(process_num)d.log", Same),
    ("stdout_logfile = /tmp/%(ENV_NO_SUCH_VARIABLE_HERE)s.log", Refused),
    ("command = date +%s", Stricter),
    ("command = %(program_name)r", Stricter),
    ("process_name = %(program_name)s_%(process_num)d\nnumprocs = 3", Same),
    ("process_name = x_%(process_num)03d\nnumprocs = 2\nnumprocs_start = 5\ncommand = y %(process_num)d", Same),
    ("process_name = other", Same),
    ("process_name = a b", Refused),
    ("process_name = a:b", Refused),
    ("process_name = a/b", Refused),
    ("process_name = %(nope)s", Refused),
    ("numprocs = 2", Refused),
    ("numprocs = x", Refused),
    ("numprocs = 0", Stricter),
    ("numprocs = 101\nprocess_name = %(process_num)d", Stricter),
    ("process_name =", Stricter),
    // The environment.
    ("environment = A=\"1 2\",B='x,y',C=z", Same),
    ("environment = A=\"1\",\n  B=\"2\",\n  C=\"%(program_name)s\"", Same),
    ("environment =", Same),
    ("environment = A=\"50%%\"", Same),
    ("environment = PATH=\"/opt/bin:%(ENV_PATH)s\"\ncommand = x %(ENV_PATH)s", Same),
    ("environment = A=\"b\"\ncommand = x %(ENV_A)s\ndirectory = /%(ENV_A)s", Same),
    ("environment = A=\"b\"\nstartsecs = %(ENV_A)s", Refused),
    ("environment = A=$HOME", Same),
    ("environment = A=x#y", Same),
    ("environment = A", Refused),
    ("environment = A=\"1", Refused),
    ("environment = A=1 B", Same),
    ("environment = A=1 B=2", Refused),
    ("environment = A=http://x/?q", Refused),
    ("environment = A=\"%(nope)s\"", Refused),
    ("environment = A=\"50%\"", Refused),
    ("serverurl = AUTO", Same),
    ("serverurl = unix:///tmp/x.sock", Same),
];

/// The Python that runs supervisord, found as the black-box tests find it.
fn interpreter() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin");
    let named = std::env::var_os("GWE_SUPERVISORD").map(PathBuf::from);
    let found =
        std::env::split_paths(&path).chain([venv]).map(|folder| folder.join("supervisord")).find(|p| p.is_file());
    let script = std::fs::read_to_string(named.or(found)?).ok()?;
    Some(script.lines().next()?.strip_prefix("#!")?.split_whitespace().next()?.into())
}

fn field(answer: &Value, key: &str) -> Option<String> {
    match answer {
        Value::Object(object) => match object.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn string(text: &str) -> Value {
    Value::String(text.to_string())
}

fn task(conf: &str, fragment: Option<&str>) -> String {
    let mut defaults = json::Object::new();
    for (key, value) in [
        ("command", "command"),
        ("directory", "/tmp"),
        ("stdout_logfile", "/tmp/my_app.log"),
        ("redirect_stderr", "true"),
        ("stdout_logfile_maxbytes", "200KB"),
        ("stdout_logfile_backups", "1"),
    ] {
        defaults.insert(key.to_string(), string(value));
    }
    let mut task = json::Object::new();
    task.insert("conf".into(), string(conf));
    task.insert("app".into(), string("my_app"));
    task.insert("here".into(), string("/tmp"));
    task.insert("defaults".into(), Value::Object(defaults));
    task.insert("fragment".into(), fragment.map_or(Value::Null, string));
    json::to_string(&Value::Object(task)) + "\n"
}

#[test]
fn supervisord_itself_reads_the_same() {
    let Some(python) = interpreter() else {
        announce_skip("needs supervisord in PATH, in .venv, or named by GWE_SUPERVISORD");
        return;
    };
    let defaults = FragmentDefaults { log_file: Path::new("/tmp/my_app.log"), directory: Path::new("/tmp") };
    let mut tasks = String::new();
    let mut ours = Vec::new();
    for (row, _) in ROWS {
        let whole = row.trim_start_matches('\u{feff}').starts_with(['[', ';']);
        let conf = if whole { (*row).to_string() } else { format!("[supervisord]\n{row}\n") };
        // The interpreter below is started with these.
        let environment = std::env::vars().map(|(name, value)| (name, Some(value))).collect();
        let gateway = ThisGateway::new(Path::new("/tmp"), Path::new("/"), Some(environment));
        let result = fragment("my_app", &conf, &defaults, &gateway);
        tasks.push_str(&task(&conf, result.as_deref().ok()));
        ours.push(result);
    }
    let mut child = Command::new(python)
        .args(["-c", DRIVER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("supervisord's Python runs");
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(tasks.as_bytes()));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    let answers: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), ROWS.len());

    let mut wrong = Vec::new();
    for (((row, want), result), answer) in ROWS.iter().zip(&ours).zip(&answers) {
        let (theirs, of_ours) = (field(answer, "theirs"), field(answer, "ours"));
        if result.is_ok() && of_ours.is_none() {
            wrong.push(format!("{row:?}: supervisord refuses our fragment: {:?}", field(answer, "ours_error")));
        }
        let got = match (&theirs, result) {
            (Some(theirs), Ok(_)) if Some(theirs) == of_ours.as_ref() => Same,
            (Some(theirs), Ok(text)) => {
                wrong.push(format!("{row:?}: other values\n  {theirs}\n  {of_ours:?}\n{text}"));
                continue;
            }
            (Some(_), Err(_)) => Stricter,
            (None, Ok(_)) => Mended,
            (None, Err(_)) => Refused,
        };
        if got != *want {
            let (why, error) = (result.as_ref().err(), field(answer, "theirs_error"));
            wrong.push(format!("{row:?}: {got:?}, not {want:?}\n  ours: {why:?}\n  theirs: {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
