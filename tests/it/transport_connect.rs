//! Names and addresses that lead nowhere (minreq#52; "AAAA black-holed, A alive" and "resolver dead").

use gwe_tests::harness::{run, with_files, Gateway, Murano, Ran, Scratch, NOT_IN_PLACE};
use gwe_tests::skip;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs `gdc` with these files in the place of the system's, in a mount namespace of its own. `None` where there is no such
/// thing for us.
fn gdc_with(files: &[(&Path, &str)], gateway: &Gateway, line: &str) -> Option<Ran> {
    let mut command = with_files(gateway.command("gdc").args(line.split(' ')), files)?;
    Some(run(&mut command, Duration::from_secs(60))).filter(|ran| ran.code != Some(NOT_IN_PLACE))
}

/// A listener that lets no connection in: its queue is full, so that the kernel drops what comes, as a black hole does.
struct BlackHole {
    port: u16,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    fn new() -> Option<BlackHole> {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok()?;
        let address = listener.local_addr().ok()?;
        // SAFETY: the descriptor is that of a listening socket; a second call only changes the length of its queue.
        unsafe { libc::listen(listener.as_raw_fd(), 0) };
        let mut queue = Vec::new();
        for _ in 0..16 {
            match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
                Ok(stream) => queue.push(stream),
                Err(_) => return Some(BlackHole { port: address.port(), _listener: listener, _queue: queue }),
            }
        }
        None
    }
}

#[test]
fn a_check_in_succeeds_where_ipv6_is_a_black_hole() {
    let mut found = None;
    for _ in 0..20 {
        let Some(hole) = BlackHole::new() else { skip!("needs IPv6 on the loopback") };
        let port = hole.port;
        // The same port over IPv4 must be free for the server.
        if TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).is_ok() {
            let murano = Murano::with(|options| options.listen = format!("127.0.0.1:{port}"));
            found = Some((hole, murano));
            break;
        }
    }
    let (hole, murano) = found.expect("one of twenty ports is free over IPv4 too");
    let scratch = Scratch::new();
    let hosts = scratch.write("hosts", "127.0.0.1 localhost\n::1 gw.test\n127.0.0.1 gw.test\n");
    let gateway = Gateway::new();
    let cik = murano.activate("sn");
    let line = format!("write {cik} a 1 --server http://gw.test:{}", hole.port);
    let Some(ran) = gdc_with(&[(&hosts, "/etc/hosts")], &gateway, &line) else { skip!("needs a mount namespace") };
    let ran = ran.ok();
    assert!(ran.took < Duration::from_secs(10), "{}", ran.report());
    assert!(ran.took > Duration::from_millis(290), "the black hole was not tried: {}", ran.report());
    assert_eq!(murano.read("sn", "a").as_deref(), Some("1"));
    // With nobody over IPv4 either, it ends at the limit for connecting.
    drop(murano);
    let hosts = scratch.write("hosts", "::1 gw.test\n");
    let line = format!("write {cik} a 1 --timeout 3 --server http://gw.test:{}", hole.port);
    let begun = Instant::now();
    let ran = gdc_with(&[(&hosts, "/etc/hosts")], &gateway, &line).expect("as above").exited(1);
    assert!(ran.stderr.contains("cannot connect to gw.test"), "{}", ran.report());
    assert!(begun.elapsed() < Duration::from_secs(8), "{}", ran.report());
}

#[test]
fn a_dead_resolver_ends_in_time() {
    let Ok(_silent) = UdpSocket::bind("127.0.0.77:53") else { skip!("needs the right to bind port 53") };
    let scratch = Scratch::new();
    let resolv = scratch.write("resolv.conf", "nameserver 127.0.0.77\n");
    let switch = scratch.write("nsswitch.conf", "hosts: files dns\n");
    let files = [(resolv.as_path(), "/etc/resolv.conf"), (switch.as_path(), "/etc/nsswitch.conf")];
    let gateway = Gateway::new();
    let Some(ran) = gdc_with(&files, &gateway, "timestamp --server http://gw.test") else {
        skip!("needs a mount namespace");
    };
    let ran = ran.exited(1);
    assert!(ran.stderr.contains("cannot resolve gw.test"), "{}", ran.report());
    assert!(ran.took > Duration::from_secs(2) && ran.took < Duration::from_secs(20), "{}", ran.report());
}
