//! mosquitto with QoS 1 and persistence: what many gateways use. It acknowledges before anything is on the disk.

use super::disk::LoopDisk;
use super::gmq::rate;
use super::table::{median, Row};
use gwe_tests::harness::{wait_for, Background, Scratch};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// A client of MQTT 3.1.1, as much of one as is needed here.
struct Client {
    stream: TcpStream,
    next: u16,
    payload: Vec<u8>,
}

impl Client {
    fn new(port: u16, name: &str, is_clean: bool, record: usize) -> Option<Client> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_nodelay(true).ok()?;
        let mut connect = vec![0x10, (12 + name.len()) as u8, 0, 4];
        connect.extend_from_slice(b"MQTT");
        connect.extend_from_slice(&[4, if is_clean { 2 } else { 0 }, 0, 0, 0, name.len() as u8]);
        connect.extend_from_slice(name.as_bytes());
        stream.write_all(&connect).ok()?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).ok()?;
        (answer[3] == 0).then_some(Client { stream, next: 1, payload: vec![b'v'; record] })
    }

    fn subscribe(&mut self) {
        self.stream.write_all(&[0x82, 8, 0, 1, 0, 3, b's', b'/', b'1', 1]).expect("a subscription");
        self.stream.read_exact(&mut [0; 5]).expect("its acknowledgement");
    }

    /// Publishes a record; how long until it was acknowledged, in microseconds.
    fn put(&mut self) -> f64 {
        let mut publish = vec![0x32, (7 + self.payload.len()) as u8, 0, 3, b's', b'/', b'1'];
        publish.extend_from_slice(&self.next.to_be_bytes());
        publish.extend_from_slice(&self.payload);
        self.next = self.next.checked_add(1).unwrap_or(1);
        let begun = Instant::now();
        self.stream.write_all(&publish).expect("a message");
        self.stream.read_exact(&mut [0; 4]).expect("its acknowledgement");
        begun.elapsed().as_secs_f64() * 1e6
    }
}

/// The same as gmq; `None` where there is no mosquitto.
pub fn rows(disk: &LoopDisk, lone: usize, each: usize, record: usize) -> Option<Vec<Row>> {
    Command::new("mosquitto").arg("-h").output().ok()?;
    let (scratch, folder) = (Scratch::new(), disk.folder("mosquitto"));
    let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let folder = folder.display();
    // As durable as it can be told to be: a write of its whole database behind each change.
    let text = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {folder}/\n\
         autosave_on_changes true\nautosave_interval 100\nmax_queued_messages 0\nlog_dest none\n"
    );
    let conf = scratch.write("mosquitto.conf", text);
    let _broker = Background::start(Command::new("mosquitto").arg("-c").arg(conf), &scratch, "mosquitto");
    let limit = Duration::from_secs(10);
    let mut subscriber = wait_for("mosquitto listens", limit, || Client::new(port, "away", false, record));
    subscriber.subscribe();
    drop(subscriber);
    let mut publisher = Client::new(port, "app", true, record)?;
    let mut times = Vec::new();
    let traffic = disk.count(|| times = (0..lone).map(|_| publisher.put()).collect());
    let mut rows = vec![
        Row::plain("mosquitto QoS 1, not durable: flushes, lone record", traffic.flushes as f64 / lone as f64, ""),
        Row::plain("mosquitto QoS 1, not durable: device bytes, lone record", traffic.bytes as f64 / lone as f64, "B"),
        Row::plain("mosquitto QoS 1, not durable: lone record, p50", median(times), "us"),
    ];
    for workers in [1, 16] {
        let rate = rate(workers, each / 4, |n| {
            let mut client = Client::new(port, &format!("w{workers}-{n}"), true, record).expect("mosquitto listens");
            move || {
                client.put();
            }
        });
        rows.push(Row::plain(&format!("mosquitto QoS 1, not durable: records a second, {workers} apps"), rate, "1/s"));
    }
    Some(rows)
}
