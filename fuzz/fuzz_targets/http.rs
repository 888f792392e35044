//! Answers of the platform as the transport sees them: a server that says anything and closes. Whatever it says, a call ends, without
//! a panic, and what is taken for an answer was there whole.

#![no_main]

use gwe::config::Cik;
use gwe::device::{Client, Settings, Sink};
use libfuzzer_sys::fuzz_target;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::OnceLock;
use std::time::Duration;

/// One listener for all runs: each run is one connection to it.
fn listener() -> &'static TcpListener {
    static LISTENER: OnceLock<TcpListener> = OnceLock::new();
    LISTENER.get_or_init(|| TcpListener::bind("127.0.0.1:0").unwrap())
}

fn client() -> Client {
    let mut settings = Settings::new(format!("http://{}", listener().local_addr().unwrap()), "fuzz");
    settings.usage_log = "/dev/null/usage".into();
    settings.stall_limit = Duration::from_secs(5);
    Client::new(settings).unwrap()
}

/// Answers each connection with these bytes, until the call is over.
fn serve(answer: &[u8], is_over: &AtomicBool) {
    listener().set_nonblocking(true).unwrap();
    while !is_over.load(SeqCst) {
        let Ok((mut stream, _)) = listener().accept() else {
            std::thread::sleep(Duration::from_micros(100));
            continue;
        };
        let _ = stream.set_nonblocking(false);
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer);
        // An orderly close: what was sent arrives.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        drain(&mut stream);
    }
}

fn drain(stream: &mut TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
}

/// Remembers what it was promised.
#[derive(Default)]
struct Counting {
    started: Option<(u64, Option<u64>)>,
    bytes: u64,
}

impl Sink for Counting {
    fn start(&mut self, offset: u64, total: Option<u64>) -> io::Result<()> {
        assert!(self.started.replace((offset, total)).is_none() || self.bytes == 0, "started twice");
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, answer)) = bytes.split_first() else { return };
    let cik = Cik::parse("0123456789abcdef0123456789abcdef01234567").unwrap();
    let client = client();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| serve(answer, &is_over));
        match kind % 5 {
            0 => {
                if let Ok(time) = client.timestamp() {
                    let said = String::from_utf8_lossy(answer);
                    assert!(said.contains("HTTP/1.") && said.bytes().any(|b| b.is_ascii_digit()), "{time} of nothing");
                }
            }
            1 => drop(client.read(&cik, &["a"])),
            2 => drop(client.record(&cik, &[("a", &[(1, "x")])])),
            3 => drop(client.activate("v", "m", "s")),
            _ => {
                let from = u64::from(kind / 5);
                let mut sink = Counting::default();
                let result = client.download("v", "m", "c", from.min(1), &mut sink);
                if let (Ok(()), Some((offset, Some(total)))) = (result, sink.started) {
                    assert_eq!(offset + sink.bytes, total, "a part was taken for the whole");
                }
            }
        }
        is_over.store(true, SeqCst);
        // Joined by hand: the end of a scope does not wait for the thread to have freed all it had.
        server.join().unwrap();
    });
});
