//! How worn the flash is that the state folder lies on, in the words of JEDEC's eMMC standard (JESD84-B51, EXT_CSD 267 to 269).

use crate::format::json::Json;
use crate::sys::block::Disk;

/// The kernel counts so many bytes as a sector, whatever the device's own are.
const SECTOR: u64 = 512;
/// Which field of `stat` has the sectors written, from 0.
const SECTORS_WRITTEN: usize = 6;

/// The value of `flash` in `device_info`: what is known.
pub(super) fn write(disk: &Disk, json: &mut Json) {
    json.begin_object();
    json.key("device");
    json.string(&disk.name);
    let told = |text: &Option<String>, words: fn(&str) -> Option<String>| {
        let words = text.as_deref().and_then(words)?;
        Some((text.as_deref()?.trim().to_string(), words))
    };
    if let Some((given, words)) = told(&disk.life_time, life_used) {
        json.key("life_time");
        json.string(&given);
        json.key("life_used");
        json.string(&words);
    }
    if let Some((given, words)) = told(&disk.pre_eol_info, pre_eol) {
        json.key("pre_eol_info");
        json.string(&given);
        json.key("pre_eol");
        json.string(&words);
    }
    if let Some(bytes) = disk.stat.as_deref().and_then(bytes_written) {
        json.key("written_since_boot");
        json.unsigned(bytes);
    }
    json.end_object();
}

/// `0x01 0x02`: how much of the life of the memory of type A (SLC), and of B (MLC), is used.
fn life_used(text: &str) -> Option<String> {
    let mut types = text.split_whitespace();
    let words = [estimate(types.next()?)?, estimate(types.next()?)?];
    types.next().is_none().then(|| words.join(", "))
}

fn estimate(text: &str) -> Option<String> {
    Some(match byte(text)? {
        0 => "not defined".to_string(),
        step @ 1..=10 => format!("{}-{} %", (step - 1) * 10, step * 10),
        11 => "exceeded".to_string(),
        _ => "reserved".to_string(),
    })
}

/// `0x01`: how much of the reserved blocks is used.
fn pre_eol(text: &str) -> Option<String> {
    let words = match byte(text.trim())? {
        0 => "not defined",
        1 => "normal",
        2 => "warning",
        3 => "urgent",
        _ => "reserved",
    };
    Some(words.to_string())
}

/// At most two digits, so that what is told is as short as what the kernel writes.
fn byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    (digits.len() <= 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

fn bytes_written(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(SECTORS_WRITTEN)?.parse::<u64>().ok()?.checked_mul(SECTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_told_as_given_and_in_words() {
        for (life_time, want) in [
            ("0x01 0x02\n", Some("0-10 %, 10-20 %")),
            ("0x0a 0x0B\n", Some("90-100 %, exceeded")),
            ("0x00 0x00\n", Some("not defined, not defined")),
            ("0x01 0xff", Some("0-10 %, reserved")),
            ("0x01\n", None),
            ("0x01 0x02 0x03", None),
            ("0x001 0x02", None),
            ("1 2", None),
            ("0x 0x", None),
            ("0x+1 0x02", None),
            ("", None),
        ] {
            assert_eq!(life_used(life_time).as_deref(), want, "{life_time:?}");
        }
        for (text, want) in [
            ("0x01\n", Some("normal")),
            ("0x02", Some("warning")),
            ("0x03\n", Some("urgent")),
            ("0x00\n", Some("not defined")),
            ("0x10", Some("reserved")),
            ("normal", None),
            ("", None),
        ] {
            assert_eq!(pre_eol(text).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn bytes_written_are_the_seventh_field_of_old_and_new_kernels() {
        let four_nine =
            "    2155     1273   151930     1240      640      518    12480     3110        0     2400     4350\n";
        let six = "  119  31  6642  32  8  0  20  4  0  60  36  0  0  0  0  0  0\n";
        for (stat, want) in [
            (four_nine, Some(12_480 * 512)),
            (six, Some(20 * 512)),
            ("1 2 3 4 5 6", None),
            ("1 2 3 4 5 6 x", None),
            ("1 2 3 4 5 6 18446744073709551615", None),
            ("", None),
        ] {
            assert_eq!(bytes_written(stat), want, "{stat:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_no_key() {
        let text = |disk: &Disk| {
            let mut json = Json::new();
            write(disk, &mut json);
            json.finish()
        };
        let bare = Disk { name: "vda".into(), ..Disk::default() };
        assert_eq!(text(&bare), r#"{"device":"vda"}"#);
        let odd = Disk { life_time: Some("?".into()), pre_eol_info: Some("\n".into()), stat: Some("0".into()), ..bare };
        assert_eq!(text(&odd), r#"{"device":"vda"}"#);
    }
}
