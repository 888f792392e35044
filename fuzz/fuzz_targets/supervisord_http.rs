//! What clients send to our own supervisord: any bytes end in answers or a closed connection, without a panic, and the core is asked for nothing
//! about a process that is not there.

#![no_main]

use gwe::hosting::config::{self, load, Strictness, Surroundings};
use gwe::hosting::definition::Settings;
use gwe::hosting::encode::{encode, Start};
use gwe::hosting::front::{serve_anybody, Gone, ResidentCore};
use gwe::hosting::image;
use gwe::hosting::protocol::{CoreRequest, Reply};
use libfuzzer_sys::fuzz_target;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::time::Duration;

const TEXT: &str = "[supervisord]\nlogfile=/dev/null\n[rpcinterface:supervisor]\n\
    supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
    [program:p]\ncommand=/bin/sh\nstdout_logfile=/dev/null\n[program:q]\ncommand=/bin/sh\nnumprocs=2\nprocess_name=q%(process_num)d\n";

fn configuration() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("gwe-fuzz-http-{}.conf", std::process::id()));
        std::fs::write(&path, TEXT).expect("the temporary folder can be written to");
        let surroundings =
            Surroundings { environment: Vec::new(), host: "host".to_string(), folder: "/tmp".to_string() };
        let read =
            load(path.to_str().expect("it has a name"), Strictness::LeaveOut, &surroundings).expect("it is good");
        let _ = std::fs::remove_file(path);
        encode(&read, &Start { folder: "/tmp", settings: Settings::default(), known_log: &|_, _, _| None })
            .expect("it is good")
    })
}

/// Starts whatever it is asked for at once.
struct Played(Vec<u8>);

impl ResidentCore for Played {
    fn state(&mut self) -> Result<Vec<u8>, Gone> {
        Ok(self.0.clone())
    }

    fn configuration(&mut self) -> Result<Vec<u8>, Gone> {
        Ok(configuration().to_vec())
    }

    fn ask(&mut self, request: &CoreRequest<'_>, _: Option<&[u8]>) -> Result<Reply, Gone> {
        let running = 20;
        match request {
            CoreRequest::Start { id } => assert!(image::change(&mut self.0, *id, |process| {
                (process.state, process.pid, process.runs) = (running, 1, process.runs + 1);
            })),
            CoreRequest::Stop { id } => {
                assert!(image::change(&mut self.0, *id, |process| (process.state, process.pid) = (0, 0)))
            }
            CoreRequest::Signal { id, signal } => assert!(*signal <= 64 && image::change(&mut self.0, *id, |_| {})),
            CoreRequest::ClearLogs { id } => assert!(image::change(&mut self.0, *id, |_| {})),
            CoreRequest::Stdin { id, bytes } => {
                assert!(image::change(&mut self.0, *id, |_| {}));
                return Ok(Reply::Written { bytes: bytes.len() as u32 });
            }
            _ => {}
        }
        Ok(Reply::Done)
    }

    fn wait(&mut self, _: Duration) -> Result<(), Gone> {
        Err(Gone)
    }

    fn read_again(&mut self, _: &Settings<'_>) -> Result<config::Configuration, String> {
        Err("bad".to_string())
    }

    fn clocks(&mut self) -> (i64, u64) {
        (1_700_000_000, 5000)
    }
}

fn serve(sent: &[u8]) -> Vec<u8> {
    let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
    let stream = TcpStream::from(OwnedFd::from(ours));
    std::thread::scope(|scope| {
        let client = scope.spawn(move || {
            let _ = theirs.write_all(sent).and_then(|()| theirs.shutdown(Shutdown::Write));
            let mut heard = Vec::new();
            let _ = theirs.read_to_end(&mut heard);
            heard
        });
        let mut core = Played(image::of(configuration()).expect("a good configuration"));
        let _ = serve_anybody(&mut core, &stream);
        let _ = stream.shutdown(Shutdown::Both);
        client.join().expect("a client does not panic")
    })
}

fuzz_target!(|bytes: &[u8]| {
    let heard = serve(bytes);
    assert!(heard.is_empty() || heard.starts_with(b"HTTP/1."), "no answer of HTTP");
    // The same as a body, so that the fuzzer need not find its head first.
    let head = format!("POST /RPC2 HTTP/1.0\r\nContent-Length: {}\r\n\r\n", bytes.len());
    let heard = serve(&[head.as_bytes(), bytes].concat());
    assert!(
        heard.starts_with(b"HTTP/1.0 200 ") || heard.starts_with(b"HTTP/1.0 400 "),
        "a whole request has its answer"
    );
});
