//! A platform for the queue: it knows every device, and notes which numbers have reached it before it says so.

use crate::trouble::Outcome;
use crate::witness::Witness;
use gwe::format::form;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const SILENCE: Duration = Duration::from_secs(10);
/// A CIK is this long; it begins with the serial number, and the rest is zeros.
const CIK: usize = 40;

/// A number that reached the platform, and of which device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The device's serial number, letters only.
    pub serial: String,
    /// The number.
    pub number: u64,
}

/// A running platform. It stops when dropped.
#[derive(Debug)]
pub struct Platform {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    arrived: Mutex<Vec<Arrived>>,
    is_down: AtomicBool,
    /// A device that is refused.
    refused: Mutex<String>,
    is_over: AtomicBool,
    witness: Option<Witness>,
}

impl Platform {
    /// Starts it. The witness is told of each number before the gateway is.
    pub fn start(witness: Option<Witness>) -> Outcome<Platform> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("cannot listen: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (is_down, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared =
            Arc::new(Shared { arrived: Mutex::default(), is_down, refused: Mutex::default(), is_over, witness });
        let of_thread = shared.clone();
        let acceptor = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if of_thread.is_over.load(SeqCst) {
                    return;
                }
                if !of_thread.is_down.load(SeqCst) {
                    // Whatever goes wrong, the gateway sees a broken connection.
                    let _ = of_thread.serve(client);
                }
            }
        });
        Ok(Platform { address, shared, acceptor: Some(acceptor) })
    }

    /// Where the gateway finds it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on nobody reaches it, or everybody does.
    pub fn set_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, SeqCst);
    }

    /// From now on this device is refused: 403.
    pub fn refuse(&self, serial: &str) {
        *self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner) = serial.to_string();
    }

    /// What has reached it, in order.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(SILENCE))?;
        let mut reader = BufReader::new(client);
        let (mut request, mut length, mut serial) = (String::new(), 0, String::new());
        reader.read_line(&mut request)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "x-exosite-cik" => serial = value.trim_end_matches('0').to_string(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let is_refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner) == serial && !serial.is_empty();
        let (status, answer) = if is_refused {
            ("403 Forbidden", String::new())
        } else {
            ("200 OK", self.answer(&request, &serial, &body))
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
        reader.get_mut().write_all((head + &answer).as_bytes())
    }

    fn answer(&self, request: &str, serial: &str, body: &str) -> String {
        if request.starts_with("POST /provision/activate ") {
            let serial = form::pairs(body).find(|(key, _)| key == "sn").map(|(_, value)| value);
            return format!("{:0<CIK$}", serial.unwrap_or_default());
        }
        if request.starts_with("GET /timestamp ") {
            return "1900000000".to_string();
        }
        for (_, value) in form::pairs(body).filter(|(key, _)| key != "alias") {
            let number = value.split('.').next().and_then(|number| number.parse().ok());
            // What is none is what nobody sent: the largest stands for it.
            self.note(serial, number.filter(|_| value.ends_with(".end")).unwrap_or(u64::MAX));
        }
        String::new()
    }

    fn note(&self, serial: &str, number: u64) {
        if let Some(witness) = &self.witness {
            witness.note(format!("arrived {number}"));
        }
        let arrived = Arrived { serial: serial.to_string(), number };
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
    }
}
