//! The CA bundle of the setting `cacert`: what can be said of it without a TLS library. The libraries themselves say that the
//! server's issuer is unknown, or nothing at all (docs/spec/failures.md, case 10; iotedge#2531, #6296).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::format::base64;

/// The largest bundle, in bytes; distributions have a quarter of a megabyte.
const MAX_BUNDLE: u64 = 4 * 1024 * 1024;
/// What every certificate begins with: an ASN.1 sequence.
const SEQUENCE: u8 = 0x30;
const BOM: &str = "\u{feff}";

/// Whether the file holds certificates that a TLS library can take, and nothing that it trips over.
///
/// # Errors
/// It cannot be read, or what is wrong with it and what would be right.
pub fn check(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    // OpenSSL and rustls both read a folder as if it were an empty file.
    if file.metadata()?.is_dir() {
        return Err(wrong("it is a folder; name one file with all certificates".to_string()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BUNDLE + 1).read_to_end(&mut bytes)?;
    judge(&bytes).map_err(wrong)
}

/// What is wrong with the bundle of the setting, in words. In an image that is being built (`root`), one that is not there yet
/// is not missed.
#[must_use]
pub fn problem(root: &Path, path: &Path) -> Option<String> {
    let built = root.join(path.strip_prefix("/").unwrap_or(path));
    let error = check(if built.exists() { &built } else { path }).err()?;
    let is_missed = root == Path::new("/") || error.kind() != io::ErrorKind::NotFound;
    is_missed.then(|| format!("cacert: {} cannot be used: {error}", path.display()))
}

fn wrong(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn judge(bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("it is empty".to_string());
    }
    if bytes.len() as u64 > MAX_BUNDLE {
        return Err(format!("it is larger than {MAX_BUNDLE} bytes"));
    }
    if bytes.first() == Some(&SEQUENCE) && std::str::from_utf8(bytes).is_err() {
        return Err("it is in DER; make PEM of it: openssl x509 -inform DER -in FILE -out FILE.pem".to_string());
    }
    let text = String::from_utf8_lossy(bytes);
    if text.starts_with(BOM) {
        return Err("it begins with a byte order mark; save it without (as UTF-8, not UTF-8 with BOM)".to_string());
    }
    let mut count = 0_u32;
    // The body of the certificate that the current line belongs to.
    let mut inside: Option<String> = None;
    for line in text.lines().map(str::trim_end) {
        match (&mut inside, line) {
            (None, "-----BEGIN CERTIFICATE-----") => (count, inside) = (count + 1, Some(String::new())),
            (None, _) => {}
            (Some(body), "-----END CERTIFICATE-----") => {
                if base64::decode(body).and_then(|der| der.first().copied()) != Some(SEQUENCE) {
                    return Err(format!("its certificate number {count} is damaged"));
                }
                inside = None;
            }
            (Some(body), line) => body.push_str(line),
        }
    }
    match (count, inside) {
        (0, _) => Err("it holds no certificate in PEM (no line -----BEGIN CERTIFICATE-----)".to_string()),
        (_, Some(_)) => Err(format!("its certificate number {count} has no end: the file is cut short")),
        (_, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_bundle_is_said() {
        let good = "# comment \u{e4}\n-----BEGIN CERTIFICATE-----\r\nMIIB\nAAAA\n-----END CERTIFICATE-----\n";
        for (bytes, want) in [
            (good.as_bytes().to_vec(), ""),
            (good.repeat(2).into_bytes(), ""),
            (vec![], "it is empty"),
            (b"\x30\x82\x01\xff\xfe".to_vec(), "it is in DER"),
            ([BOM, good].concat().into_bytes(), "it begins with a byte order mark"),
            (b"-----BEGIN PRIVATE KEY-----\nAAAA\n".to_vec(), "it holds no certificate"),
            (good.as_bytes()[..good.len() - 10].to_vec(), "its certificate number 1 has no end"),
            ([good, &good.replace("MIIB", "####")].concat().into_bytes(), "its certificate number 2 is damaged"),
            (vec![0; 4096], "it holds no certificate"),
            (vec![b'0'; MAX_BUNDLE as usize + 1], "it is larger than"),
        ] {
            let said = judge(&bytes).err().unwrap_or_default();
            assert!(if want.is_empty() { said.is_empty() } else { said.starts_with(want) }, "{want}: {said}");
        }
        let folder = std::env::temp_dir();
        assert!(check(&folder).unwrap_err().to_string().starts_with("it is a folder"));
        let missing = Path::new("/no/such");
        assert_eq!(check(missing).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(problem(Path::new("/"), missing).unwrap().starts_with("cacert: /no/such cannot be used"));
        assert_eq!(problem(&folder, missing), None);
    }
}
