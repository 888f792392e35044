//! What each fault of supervisord means, and says.

use super::*;

/// What supervisord 4.2.5 says (its environment shortened), and what we make of it.
#[test]
fn of_fault_92_only_what_may_be_told_is_kept() {
    for (text, want) in [
        (
            "CANT_REREAD: Format string '/bin/%(x)s' for 'program:bad.command' contains names ('x') which cannot be expanded. \
             Available names: ENV_HOME, ENV_SECRET_TOKEN, group_name, here in section 'program:bad' (file: '/var/lib/gwe/supervisor.d/bad.conf')",
            "[program:bad] in /var/lib/gwe/supervisor.d/bad.conf uses a %(name)s that supervisord does not know",
        ),
        (
            "CANT_REREAD: Format string '50%' for 'program:bad.command' is badly formatted: incomplete format in section 'program:bad' (file: '/c/bad.conf')",
            "[program:bad] in /c/bad.conf has a % that is no %(name)s; a plain one is written %%",
        ),
        (
            "CANT_REREAD: Unexpected end of key/value pairs in value 'KEY=SECRET_TOKEN x' in section 'program:bad' (file: '/c/bad.conf')",
            "[program:bad] in /c/bad.conf has an environment that is not KEY=\"value\",KEY2=\"value2\"",
        ),
        (
            "CANT_REREAD: program section program:bad does not specify a command in section 'program:bad' (file: '/c/bad.conf')",
            "[program:bad] in /c/bad.conf has no command",
        ),
        (
            "CANT_REREAD: The directory named as part of the path /no/a.log does not exist in section 'program:bad' (file: '/c/bad.conf')",
            "[program:bad] in /c/bad.conf names a log file in a folder that does not exist",
        ),
        (
            "CANT_REREAD: File contains no section headers.\nfile: '/c/bad.conf', line: 1\n\"password='SECRET_TOKEN' in section 'x\\n\"",
            "/c/bad.conf has text before its first [section]",
        ),
        (
            "CANT_REREAD: Source contains parsing errors: '/c/bad.conf'\n\t[line  2]: 'SECRET_TOKEN\\n'",
            "/c/bad.conf has a line that is neither a [section] nor key = value",
        ),
        (
            "CANT_REREAD: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
            "one of its files is not UTF-8 text",
        ),
        (
            "CANT_REREAD: Invalid user name SECRET_TOKEN in section 'program:bad' (file: '/c/bad.conf')",
            "[program:bad] in /c/bad.conf names a user that does not exist",
        ),
        (
            "CANT_REREAD: invalid literal for int() with base 10: 'SECRET_TOKEN' in section 'program:bad' (file: '/c/bad.conf')",
            "[program:bad] in /c/bad.conf has an option that is no number",
        ),
        ("CANT_REREAD: SECRET_TOKEN", "one of its files has an option that supervisord refuses"),
        ("", "one of its files has an option that supervisord refuses"),
        // A value that plays a place: the real place comes last, and odd names are not repeated.
        (
            "CANT_REREAD: x in section 'SECRET_TOKEN' (file: 'SECRET_TOKEN') in section 'program:bad' (file: '/c/bad.conf')",
            "[program:bad] in /c/bad.conf has an option that supervisord refuses",
        ),
        (
            "CANT_REREAD: x in section 'a\n$SECRET_TOKEN' (file: '$SECRET_TOKEN')",
            "one of its files has an option that supervisord refuses",
        ),
    ] {
        let error = SupervisorError::fault("supervisor.reloadConfig", code::CANT_REREAD, text);
        assert!(error.is_unreadable() && !error.is_down());
        let said = error.to_string();
        assert_eq!(
            said,
            format!("supervisord cannot read its configuration: {want}; `supervisorctl reread` on the gateway says more")
        );
        assert!(!format!("{said}{error:?}").contains("SECRET_TOKEN"), "{error:?}");
    }
}

/// Who ordered it hears of no file: the fragment is out again by then.
#[test]
fn a_circle_of_starts_is_told_by_its_names_where_they_are_plain() {
    let told = "by `after`, programs start after each other in a circle: a after b:b_1 after a";
    for (text, want) in [
        ("CANT_REREAD: programs start after each other in a circle: a after b:b_1 after a", told),
        (
            "CANT_REREAD: programs start after each other in a circle: a after b:b_1 after a in section 'program:a' (file: '/c/a.conf')",
            told,
        ),
        (
            "CANT_REREAD: programs start after each other in a circle: $SECRET after a",
            "supervisord cannot read its configuration: one of its files has an option that supervisord refuses; \
             `supervisorctl reread` on the gateway says more",
        ),
    ] {
        assert_eq!(SupervisorError::fault("m", code::CANT_REREAD, text).to_string(), want);
    }
}

#[test]
fn every_error_is_one_sentence_that_says_what_to_do() {
    let socket = PathBuf::from("/run/s.sock");
    let gone = || std::fs::read("/no/such/file").unwrap_err();
    for (error, want) in [
        (
            SupervisorError::Down { socket, source: gone() },
            "supervisord does not answer at /run/s.sock: No such file or directory (os error 2); start it, or set [supervisor] socket to the file of its [unix_http_server]",
        ),
        (
            SupervisorError::Broken { method: "m", source: io::Error::from(io::ErrorKind::TimedOut) },
            "supervisord did not answer m: timed out",
        ),
        (
            SupervisorError::Http { method: "m", status: 401 },
            "supervisord wants a password for m: remove username and password from its [unix_http_server]; the mode of the socket protects it",
        ),
        (SupervisorError::Http { method: "m", status: 500 }, "supervisord answered m with HTTP status 500"),
        (
            SupervisorError::Answer { method: "m", source: RpcError::NoAnswer },
            "supervisord's answer to m cannot be read: it is no whole methodResponse",
        ),
        (
            SupervisorError::fault("m", code::UNKNOWN_METHOD, "UNKNOWN_METHOD"),
            "supervisord does not know m: its configuration needs a section [rpcinterface:supervisor]",
        ),
        (
            SupervisorError::fault("m", code::FAILED, "FAILED: x\n(EPERM)"),
            "supervisord refused m: FAILED: x (EPERM) (fault 30)",
        ),
        (
            SupervisorError::NotIncluded { app: "a".into() },
            "supervisord's configuration has no a: its [include] files must cover the folder in [supervisor] fragments",
        ),
        (
            SupervisorError::StillRunning { app: "a".into(), waited: Duration::from_secs(130) },
            "a still runs 130 s after it was told to stop, also after SIGKILL",
        ),
        (SupervisorError::Failing { process: "a:b".into(), why: "exited with status 3".into() }, "a:b exited with status 3"),
    ] {
        assert_eq!(error.to_string(), want);
    }
}

#[test]
fn waiting_helps_only_where_supervisord_is_away() {
    let down = SupervisorError::Down { socket: PathBuf::new(), source: io::Error::from(io::ErrorKind::NotFound) };
    assert!(down.is_down());
    assert!(SupervisorError::fault("m", code::SHUTDOWN_STATE, "").is_down());
    assert!(!SupervisorError::fault("m", code::BAD_NAME, "").is_down());
}

#[test]
fn a_fault_text_is_bounded() {
    let long = "é".repeat(10_000);
    assert_eq!(one_line(&long).len(), MAX_TEXT);
    assert_eq!(one_line(" a\r\nb\u{1b} "), "a  b ");
}
