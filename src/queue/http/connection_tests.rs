//! A connection against a real client socket.

use super::*;
use std::net::TcpListener;

fn pair() -> (AppConnection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let (server, _) = listener.accept().unwrap();
    (AppConnection::new(server, Duration::ZERO).unwrap(), client)
}

/// Lets the server read until `count` requests were there.
fn requests(connection: &mut AppConnection, count: usize) -> Vec<ClientRequest> {
    let mut found = Vec::new();
    for _ in 0..500 {
        connection.read(Duration::ZERO);
        found.extend(std::iter::from_fn(|| connection.next_request()));
        connection.write(Duration::ZERO);
        if found.len() >= count {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    found
}

fn received(client: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = client.read(&mut buffer) {
        text.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn answers_leave_in_the_order_of_the_requests_whichever_is_ready_first() {
    let (mut connection, mut client) = pair();
    client.write_all(b"POST /1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nab\r\nPOST /2 HTTP/1.1\r\n\r\n").unwrap();
    let found = requests(&mut connection, 2);
    assert_eq!((found[0].body.as_slice(), found[1].head.target.as_str()), (&b"ab"[..], "/2"));
    assert!(connection.deadline().is_none(), "gmq's turn");
    connection.answer(found[1].place, AppAnswer::text("second"));
    connection.write(Duration::ZERO);
    connection.answer(found[0].place, AppAnswer::text("first"));
    connection.answer(found[0].place, AppAnswer::text("again"));
    connection.answer(77, AppAnswer::text("never asked"));
    connection.write(Duration::ZERO);
    let text = received(&mut client);
    assert!(text.ends_with("second") && text.find("first") < text.find("second"), "{text}");
    assert!(!text.contains("again") && !text.contains("never"));
    assert!(!connection.is_over() && !connection.is_owed());
}

#[test]
fn a_client_that_waits_for_it_is_told_to_continue_behind_earlier_answers() {
    let (mut connection, mut client) = pair();
    client.write_all(b"POST /1 HTTP/1.1\n\nPOST /2 HTTP/1.1\nContent-Length: 1\nExpect: 100-Continue\n\n").unwrap();
    let first = requests(&mut connection, 1);
    std::thread::sleep(Duration::from_millis(20));
    requests(&mut connection, 0);
    connection.answer(first[0].place, AppAnswer::done());
    connection.write(Duration::ZERO);
    let text = received(&mut client);
    assert!(text.ends_with("\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n") && text.starts_with("HTTP/1.1 204"), "{text}");
    client.write_all(b"x").unwrap();
    assert_eq!(requests(&mut connection, 1)[0].body, b"x");
}

#[test]
fn a_bad_request_is_answered_in_its_turn_and_ends_the_connection() {
    let (mut connection, mut client) = pair();
    client.write_all(b"POST /1 HTTP/1.1\r\n\r\nnonsense\r\n\r\nPOST /2 HTTP/1.1\r\n\r\n").unwrap();
    let found = requests(&mut connection, 2);
    assert_eq!(found.len(), 1);
    connection.answer(found[0].place, AppAnswer::done());
    connection.write(Duration::ZERO);
    assert!(connection.is_over());
    connection.close();
    let text = received(&mut client);
    assert!(text.contains("204") && text.contains("400 Bad Request") && text.contains("Connection: close"), "{text}");
}

/// RFC 9112, 6.1 and 6.3: for who reads the length, the chunks' end is the beginning of another body.
#[test]
fn behind_a_body_that_could_end_twice_nothing_is_read() {
    for head in ["HTTP/1.1\r\nContent-Length: 40", "HTTP/1.0\r\nConnection: keep-alive"] {
        let (mut connection, mut client) = pair();
        let text = format!(
            "POST /1 {head}\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\nPOST /2 HTTP/1.1\r\n\r\n"
        );
        client.write_all(text.as_bytes()).unwrap();
        let found = requests(&mut connection, 2);
        assert_eq!((found.len(), found[0].body.as_slice()), (1, &b"a"[..]), "{head}");
        connection.answer(found[0].place, AppAnswer::done());
        connection.write(Duration::ZERO);
        assert!(connection.is_over() && received(&mut client).contains("Connection: close"), "{head}");
    }
}

#[test]
fn time_is_over_for_the_slow_the_silent_and_the_deaf() {
    let (mut connection, mut client) = pair();
    assert_eq!(connection.deadline(), Some(IDLE_LIMIT));
    client.write_all(b"POST / HT").unwrap();
    let begun = Duration::from_secs(50);
    while !connection.is_in_request() {
        connection.read(begun);
    }
    client.write_all(b"TP").unwrap();
    std::thread::sleep(Duration::from_millis(20));
    connection.read(begun + Duration::from_secs(10));
    assert_eq!(connection.deadline(), Some(begun + REQUEST_LIMIT), "drip by drip is no way to live longer");
    connection.expire();
    connection.write(begun);
    assert!(connection.is_over());
    assert!(received(&mut client).contains("408"));
    let (mut idle, _client) = pair();
    idle.expire();
    assert!(idle.is_over());
}

#[test]
fn what_a_client_sends_without_end_is_bounded() {
    let (mut connection, mut client) = pair();
    client.set_nonblocking(true).unwrap();
    let request = b"POST / HTTP/1.1\r\n\r\n".repeat(100);
    for _ in 0..2000 {
        let _ = client.write(&request);
        connection.read(Duration::ZERO);
        while connection.next_request().is_some() {}
        assert!(connection.input.len() <= MAX_INPUT + 8192 && connection.answers.len() <= MAX_PIPELINE);
    }
    assert!(!connection.wants_read());
}

#[test]
fn a_half_closed_connection_still_gets_its_answer() {
    let (mut connection, mut client) = pair();
    client.write_all(b"POST / HTTP/1.0\r\n\r\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let found = requests(&mut connection, 1);
    assert!(!connection.is_over());
    connection.answer(found[0].place, AppAnswer::done());
    connection.write(Duration::ZERO);
    assert!(connection.is_over());
    assert!(received(&mut client).contains("Connection: close"));
}
