//! HTTP answers as the transport sees them: a local server answers every call with the fuzzer's bytes.

#![no_main]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use gwe::config::Cik;
use gwe::device::{Client, Settings};
use libfuzzer_sys::fuzz_target;

static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static SERVER: OnceLock<String> = OnceLock::new();

fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut connection = connection;
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let answer = ANSWER.lock().expect("no panic holds it").clone();
            let _ = connection.write_all(&answer);
        }
    });
    format!("http://{address}")
}

fuzz_target!(|bytes: &[u8]| {
    let server = SERVER.get_or_init(serve);
    *ANSWER.lock().expect("no panic holds it") = bytes.to_vec();
    let mut settings = Settings::new(server.as_str(), "fuzz");
    settings.usage_log = "/dev/null/none".into();
    settings.stall_limit = Duration::from_secs(1);
    settings.total_limit = Duration::from_secs(2);
    let Ok(client) = Client::new(settings) else { return };
    let Some(cik) = Cik::parse(&"a".repeat(40)) else { return };
    let _ = client.read(&cik, &["a"]);
    let _ = client.content_info("p", "p", "id");
});
