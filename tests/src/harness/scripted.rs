//! A server that does exactly what a test says, byte for byte: for what no sane server, and no fault of murano, would do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// No connection is served longer.
const LIFE: Duration = Duration::from_secs(120);
/// The longest request that is kept.
const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// A server on a port of 127.0.0.1 that the system picked; it stops when dropped.
pub struct Scripted {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

/// One connection to it.
pub struct Guest {
    /// The connection itself.
    pub stream: TcpStream,
    /// The request: head, and the body that its `Content-Length` announces.
    pub request: String,
    /// Which connection this is, from 0.
    pub number: usize,
    is_over: Arc<AtomicBool>,
    begun: Instant,
}

impl Scripted {
    /// Reads a request from each connection, and then lets `serve` do with the connection what it likes.
    #[track_caller]
    pub fn start(serve: impl Fn(&mut Guest) + Send + Sync + 'static) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let serve = Arc::new(serve);
        let acceptor = thread::spawn({
            let (seen, is_over) = (seen.clone(), is_over.clone());
            move || {
                for (number, stream) in listener.incoming().enumerate() {
                    let Ok(stream) = stream else { continue };
                    if is_over.load(SeqCst) {
                        break;
                    }
                    let (seen, is_over, serve) = (seen.clone(), is_over.clone(), serve.clone());
                    thread::spawn(move || {
                        let request = String::new();
                        let mut guest = Guest { stream, request, number, is_over, begun: Instant::now() };
                        guest.read_request();
                        seen.lock().expect("no server panics").push(guest.request.clone());
                        serve(&mut guest);
                    });
                }
            }
        });
        Scripted { port, seen, is_over, acceptor: Some(acceptor) }
    }

    /// Answers each request with these bytes and closes.
    #[track_caller]
    pub fn answering(answer: impl Into<Vec<u8>>) -> Scripted {
        let answer = answer.into();
        Scripted::start(move |guest| guest.say(&answer))
    }

    /// Such as `http://127.0.0.1:40000`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().expect("no server panics").clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.is_over.store(true, SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Guest {
    /// Takes the next request.
    pub fn read_request(&mut self) {
        let _ = self.stream.set_read_timeout(Some(LIFE));
        let mut bytes = Vec::new();
        let mut part = [0; 16 * 1024];
        while !is_complete(&bytes) && bytes.len() < MAX_REQUEST {
            match self.stream.read(&mut part) {
                Ok(count @ 1..) => bytes.extend_from_slice(&part[..count]),
                _ => break,
            }
        }
        self.request = String::from_utf8_lossy(&bytes).into_owned();
    }

    /// Writes; a guest who has gone is no failure.
    pub fn say(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Whether the guest and the test are still there. For loops.
    pub fn is_there(&mut self) -> bool {
        let _ = self.stream.set_nonblocking(true);
        let is_gone = matches!(self.stream.peek(&mut [0]), Ok(0));
        let _ = self.stream.set_nonblocking(false);
        !is_gone && !self.is_over.load(SeqCst) && self.begun.elapsed() < LIFE
    }

    /// Says nothing and stays, until the guest has gone.
    pub fn stay(&mut self) {
        while self.is_there() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Closes with a reset, so that even what was sent may be lost.
    pub fn reset(&mut self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        let length = std::mem::size_of::<libc::linger>() as libc::socklen_t;
        let option = std::ptr::addr_of!(linger).cast();
        // SAFETY: the pointer and the length are those of `linger`.
        unsafe { libc::setsockopt(self.stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, option, length) };
    }

    /// Becomes a wire to another server, until one side closes.
    pub fn pass_on(&mut self, to: &str) {
        let Ok(mut there) = TcpStream::connect(to) else { return };
        let (Ok(mut here), Ok(mut back)) = (self.stream.try_clone(), there.try_clone()) else { return };
        let _ = here.set_read_timeout(Some(LIFE));
        let up = thread::spawn(move || {
            let _ = std::io::copy(&mut here, &mut back);
            let _ = back.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut there, &mut self.stream);
        let _ = self.stream.shutdown(Shutdown::Write);
        let _ = up.join();
    }
}

/// Whether a request is there with its body.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    bytes.len() >= end + 4 + length.unwrap_or(0)
}

/// An answer with a length.
pub fn answer(status: u16, body: &[u8], headers: &[&str]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    headers.iter().for_each(|header| head.push_str(&format!("{header}\r\n")));
    [head.as_bytes(), b"\r\n", body].concat()
}
