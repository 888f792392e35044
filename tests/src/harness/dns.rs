//! A name server on the loopback, which answers, keeps silent, or is not there.

use super::scratch::Scratch;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How soon it sees that it is to end.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A question's head; the name follows.
const HEAD: usize = 12;
const TYPE_A: [u8; 2] = [0, 1];

/// What it does with a question.
#[derive(Debug, Default)]
struct Manner {
    answers: AtomicBool,
    asked: AtomicU64,
    ends: AtomicBool,
}

/// A name server: every name has the IPv4 address 127.0.0.1, and no other. It ends when it is dropped; then nobody listens there.
#[derive(Debug)]
pub struct Dns {
    manner: Arc<Manner>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    /// On port 53 of an address of the loopback. It keeps silent at first.
    ///
    /// # Errors
    /// What the system said: port 53 is not for everybody.
    pub fn silent(address: Ipv4Addr) -> io::Result<Dns> {
        let socket = UdpSocket::bind((address, 53))?;
        socket.set_read_timeout(Some(LOOK_AGAIN))?;
        let manner = Arc::new(Manner::default());
        let theirs = manner.clone();
        Ok(Dns { manner, thread: Some(thread::spawn(move || serve(&socket, &theirs))) })
    }

    /// From now on it answers, or does not.
    pub fn answers(&self, yes: bool) {
        self.manner.answers.store(yes, Ordering::SeqCst);
    }

    /// Questions so far.
    pub fn asked(&self) -> u64 {
        self.manner.asked.load(Ordering::SeqCst)
    }

    /// The `/etc/resolv.conf` that leads here, and an `/etc/nsswitch.conf` by which it is asked.
    pub fn configuration(address: Ipv4Addr, options: &str, folder: &Scratch) -> [(PathBuf, &'static str); 2] {
        let resolv = format!("nameserver {address}\noptions {options}\n");
        [
            (folder.write("resolv.conf", resolv), "/etc/resolv.conf"),
            (folder.write("nsswitch.conf", "hosts: files dns\n"), "/etc/nsswitch.conf"),
        ]
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.manner.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, manner: &Manner) {
    let mut packet = [0; 512];
    while !manner.ends.load(Ordering::SeqCst) {
        let Ok((length, from)) = socket.recv_from(&mut packet) else { continue };
        manner.asked.fetch_add(1, Ordering::SeqCst);
        if manner.answers.load(Ordering::SeqCst) {
            if let Some(answer) = answer(&packet[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    }
}

/// The question again, as an answer, with an address where one of IPv4 was asked for (RFC 1035, section 4).
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let name = question.get(HEAD..)?.iter().position(|byte| *byte == 0)?;
    let end = HEAD + name + 1 + 4;
    let asks_for_a = question.get(end - 4..end - 2)? == TYPE_A;
    let mut answer = question.get(..end)?.to_vec();
    // An answer, recursion available, no error; one question; one record or none, and nothing else.
    answer[2..HEAD].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(asks_for_a), 0, 0, 0, 0]);
    if asks_for_a {
        // The name of the question; type A, class IN, valid for no time; four bytes of address.
        answer.extend_from_slice(&[0xc0, HEAD as u8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}
