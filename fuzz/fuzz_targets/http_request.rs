//! What clients send to any server of ours, by the one reader of heads and the one of chunks: nothing panics; where the bytes are cut changes
//! nothing; and what is read strictly is read leniently as the same.

#![no_main]

use gwe::format::http::chunks::{ChunkDecoder, ChunkFault};
use gwe::format::http::request::{read, HeadRules};
use libfuzzer_sys::fuzz_target;

const STRICT: HeadRules = HeadRules { longest: 512, is_lenient: false };
const LENIENT: HeadRules = HeadRules { longest: 512, is_lenient: true };

/// The body and the bytes that it took.
fn decode(bytes: &[u8], step: usize) -> (Result<usize, ChunkFault>, Vec<u8>, bool) {
    let (mut decoder, mut body, mut used) = (ChunkDecoder::new(256, 256), Vec::new(), 0);
    for part in bytes.chunks(step) {
        match decoder.decode(part, &mut body) {
            Ok(len) => used += len,
            Err(fault) => return (Err(fault), body, false),
        }
    }
    (Ok(used), body, decoder.is_done())
}

fuzz_target!(|bytes: &[u8]| {
    let strict = read(bytes, STRICT);
    let lenient = read(bytes, LENIENT);
    if let Ok(Some((head, len))) = &strict {
        assert_eq!(lenient, strict, "two readings of one head");
        assert!(*len <= bytes.len() && !head.method.is_empty() && !head.target.is_empty());
        (0..*len).for_each(|end| assert_eq!(read(&bytes[..end], STRICT), Ok(None), "half a head"));
        // What follows it is not a part of it.
        assert_eq!(read(&bytes[..*len], STRICT), strict);
    }
    let body = lenient.ok().flatten().map_or(bytes, |(_, len)| &bytes[len..]);
    let whole = decode(body, body.len().max(1));
    assert!(whole.1.len() <= 256, "more than the body may have");
    for step in 1..body.len().min(9) {
        assert_eq!(decode(body, step), whole, "by {step}");
    }
});
