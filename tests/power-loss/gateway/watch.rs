//! Stands between the gateway and its server, so that each answer is seen before the gateway has it: what is noted then is
//! known outside while the gateway still waits, and so at a definite place of its write log.

use crate::trouble::Outcome;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A connection that is silent for so long is over.
const SILENCE: Duration = Duration::from_secs(60);

type OnAnswer = Arc<Mutex<dyn FnMut() + Send>>;

/// A relay that calls a function before it passes on anything of an answer. It stops when dropped.
#[derive(Debug)]
pub struct Watch {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts it before the server at `url`, such as `http://127.0.0.1:40000`.
    pub fn start(url: &str, on_answer: impl FnMut() + Send + 'static) -> Outcome<Watch> {
        let server = url.trim_start_matches("http://").parse().map_err(|error| format!("{url}: {error}"))?;
        let listen = || -> io::Result<(TcpListener, SocketAddr)> {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen().map_err(|error| format!("cannot listen: {error}"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, on_answer): (_, OnAnswer) = (stop.clone(), Arc::new(Mutex::new(on_answer)));
        let acceptor = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(SeqCst) {
                    return;
                }
                let on_answer = on_answer.clone();
                thread::spawn(move || relay(client, server, &on_answer));
            }
        });
        Ok(Watch { address, stop, acceptor: Some(acceptor) })
    }

    /// Where the gateway connects to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        // Wakes the acceptor, which then sees that it is to stop.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Serves one connection to its end. Where a side fails, both are closed: the gateway sees what it would see of the server.
fn relay(client: TcpStream, server: SocketAddr, on_answer: &OnAnswer) {
    let both = || -> io::Result<()> {
        let server = TcpStream::connect_timeout(&server, SILENCE)?;
        for side in [&client, &server] {
            side.set_nodelay(true)?;
            side.set_read_timeout(Some(SILENCE))?;
        }
        let (from, to) = (client.try_clone()?, server.try_clone()?);
        let requests = thread::spawn(move || {
            pass(from, &to, || {});
            let _ = to.shutdown(Shutdown::Write);
        });
        pass(server, &client, || (on_answer.lock().unwrap_or_else(PoisonError::into_inner))());
        let _ = client.shutdown(Shutdown::Both);
        let _ = requests.join();
        Ok(())
    };
    // The gateway may go at any moment.
    let _ = both();
}

fn pass(mut from: TcpStream, mut to: &TcpStream, mut before: impl FnMut()) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        before();
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}
