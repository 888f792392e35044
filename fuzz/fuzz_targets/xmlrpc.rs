//! Answers of supervisord: no bytes may panic, and text that is written is read as it was.

#![no_main]

use gwe::format::xml::{escape_into, XmlReader, XmlToken};
use gwe::format::xmlrpc::{method_call, method_response, MethodResponse, Param, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = method_response(bytes);
    // The same as a value, so that the fuzzer need not find its surroundings first.
    let answer = |value: &[u8]| {
        let (head, tail) = (b"<methodResponse><params><param><value>", b"</value></param></params></methodResponse>");
        method_response(&[head, value, tail].concat())
    };
    let _ = answer(bytes);

    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // XML cannot carry these; they become U+FFFD.
    let carried: String = text
        .chars()
        .map(|c| {
            if matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}') {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    let mut escaped = String::new();
    escape_into(&mut escaped, text);
    if escaped.len() < 1 << 19 {
        assert_eq!(answer(escaped.as_bytes()), Ok(MethodResponse::Value(Value::Text(carried.clone()))));
    }

    let call = method_call(text, &[Param::Text(text)]);
    let mut reader = XmlReader::new(&call);
    let mut read = Vec::new();
    let mut before = XmlToken::End;
    loop {
        let token = reader.next_token().expect("a call is XML");
        match (&before, &token) {
            (_, XmlToken::End) => break,
            (XmlToken::Open("methodName" | "string"), XmlToken::Text(text)) => read.push(text.clone().into_owned()),
            (XmlToken::Open("methodName" | "string"), _) => read.push(String::new()),
            _ => {}
        }
        before = token;
    }
    assert_eq!(read, [carried.clone(), carried]);
});
