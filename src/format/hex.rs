//! Hexadecimal, both ways: what is written has lower-case digits but where a name says otherwise, what is read may have either.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// `bytes` as two digits each.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    bytes.iter().for_each(|byte| push(&mut text, u32::from(*byte), 2));
    text
}

/// Appends the last `digits` digits of a number.
pub fn push(out: &mut String, number: u32, digits: u32) {
    for place in (0..digits).rev() {
        out.push(char::from(DIGITS[(number >> (4 * place)) as usize & 15]));
    }
}

/// Appends a byte's two digits, those of upper case: RFC 3986 wants them behind a `%`.
pub fn push_upper(out: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        out.push(char::from(DIGITS[usize::from(digit)]).to_ascii_uppercase());
    }
}

/// Whether it is `length` digits and nothing else: a hash, as others write it.
#[must_use]
pub fn is_hash(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The number that two digits spell.
#[must_use]
pub fn byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_in_either_case() {
        for value in 0..=u8::MAX {
            let text = encode(&[value]);
            assert_eq!(text, format!("{value:02x}"));
            for text in [text.to_ascii_uppercase(), text] {
                assert!(is_hash(&text, 2));
                assert_eq!(byte(text.as_bytes()[0], text.as_bytes()[1]), Some(value));
            }
        }
        assert_eq!(encode(b"\0\x0f\xff"), "000fff");
        assert_eq!(encode(b""), "");
    }

    #[test]
    fn signs_blanks_and_other_letters_are_no_digits() {
        for [high, low] in [*b"+1", *b"1+", *b" 1", *b"g0", *b"0G", *b"\xb10"] {
            assert_eq!(byte(high, low), None);
        }
        assert!(!is_hash("+1", 2) && !is_hash("1", 2) && !is_hash("", 2) && !is_hash("0é", 3));
    }

    #[test]
    fn of_a_number_the_last_digits_are_shown() {
        let mut text = String::new();
        push(&mut text, 0xdead_beef, 8);
        push(&mut text, 7, 2);
        push(&mut text, 0x1234_5678, 4);
        push_upper(&mut text, 0xaf);
        assert_eq!(text, "deadbeef075678AF");
    }
}
