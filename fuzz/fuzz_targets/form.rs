//! Bodies of the Device API: any text is decoded, and what is encoded decodes to itself.

#![no_main]

use gwe::format::form::{decode, encode, pairs, push_pair};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(decode(&encode(&text)), text);
    assert!(encode(&text).bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'&' | b'=' | b'+')));

    let read: Vec<(String, String)> = pairs(&text).collect();
    let mut body = String::new();
    for (key, value) in &read {
        push_pair(&mut body, key, value);
    }
    assert_eq!(pairs(&body).collect::<Vec<_>>(), read);
});
