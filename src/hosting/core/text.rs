//! Texts that are put together: a fixed buffer, numbers, and time as people write it.

use super::wire::FieldSink;

/// Room for a line; what does not fit is cut.
pub struct Text<const N: usize> {
    bytes: [core::mem::MaybeUninit<u8>; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub fn new() -> Text<N> {
        Text { bytes: [core::mem::MaybeUninit::uninit(); N], len: 0 }
    }

    pub fn of(parts: &[&[u8]]) -> Text<N> {
        let mut text = Text::new();
        parts.iter().for_each(|part| text.push(part));
        text
    }

    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.bytes.get_mut(self.len) {
                place.write(*byte);
                self.len += 1;
            }
        }
    }

    /// As Python writes bytes: `b'a\x88\n'`.
    pub fn push_escaped(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.push(b"b'");
        for byte in bytes {
            match byte {
                b'\n' => self.push(b"\\n"),
                b'\r' => self.push(b"\\r"),
                b'\t' => self.push(b"\\t"),
                b'\\' => self.push(b"\\\\"),
                b'\'' => self.push(b"\\'"),
                0x20..=0x7e => self.push(&[*byte]),
                byte => {
                    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or(b'?');
                    self.push(&[b'\\', b'x', digit(byte >> 4), digit(*byte)]);
                }
            }
        }
        self.push(b"'");
    }

    pub fn number(&mut self, value: i64) {
        if value < 0 {
            self.push(b"-");
        }
        self.padded(value.unsigned_abs(), 1);
    }

    /// At least so many digits.
    pub fn padded(&mut self, value: u64, digits: usize) {
        let number = super::spawn_error::Number::of_u64(value);
        let shown = number.digits();
        for _ in shown.len()..digits {
            self.push(b"0");
        }
        self.push(shown);
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: so many have been written.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.len) }
    }
}

impl<const N: usize> FieldSink for Text<N> {
    fn put(&mut self, bytes: &[u8]) -> bool {
        self.push(bytes);
        self.len < N
    }
}

/// Year, month, day, hour, minute, second.
pub fn calendar(seconds: i64) -> [u64; 6] {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u64);
    // Years from March, so that the leap day is the last; 400 years have 146,097 days.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (date, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + i64::from(month <= 2);
    [year as u64, month as u64, date as u64, rest / 3600, rest / 60 % 60, rest % 60]
}
