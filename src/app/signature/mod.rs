//! Signatures of tarballs, made with minisign (docs/decisions.md, "Signed if told so").
//!
//! Invariant: where the folder of trusted keys holds anything, or cannot be read, nothing unsigned gets in; a key file that
//! cannot be used never opens what it was meant to close.

mod aging;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

pub use aging::Term;
use minisign_verify::{PublicKey, Signature};

use crate::format::sort::sort;
use crate::sys::file::{self, Context, FileError};

/// So many keys are loaded.
pub const MAX_KEYS: usize = 32;
/// So many files of the folder are looked at.
const MAX_FILES: usize = 256;
/// The largest key file, in bytes; minisign's have some 110.
const MAX_KEY_FILE: u64 = 4096;
/// The longest signature, in bytes: minisign's trusted comments have at most 8,192.
pub const MAX_SIGNATURE: usize = 16 * 1024;
/// Bytes hashed at a time.
const CHUNK: usize = 64 * 1024;

/// A key's number, printed as `minisign` prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; 8]);

/// The public keys of `/etc/gwe/trusted`, and what a set of keys says of them.
#[derive(Debug)]
pub struct TrustedKeys {
    keys: Vec<Key>,
    problems: Vec<KeyProblem>,
    /// Nothing lies in the folder.
    open: bool,
    /// The latest time that is known to be over, unix seconds: keys that age are judged by it.
    now: u64,
}

#[derive(Debug)]
struct Key {
    file: String,
    id: KeyId,
    /// `None`: one that is only known to be revoked.
    key: Option<PublicKey>,
    term: Term,
}

/// A file in the folder of trusted keys that is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProblem {
    /// Its name.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What a good signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key that made it.
    pub key: KeyId,
    /// When it was made, unix seconds.
    pub timestamp: u64,
    /// The whole trusted comment.
    pub comment: String,
}

/// Why a signature is not believed.
#[derive(Debug)]
pub enum SignatureError {
    /// The folder of trusted keys is not empty, and no key in it can be used.
    NoUsableKey,
    /// It is no minisign signature, or too long for one.
    Malformed,
    /// It was made with the old algorithm, for which the whole tarball would have to be in memory.
    Legacy,
    /// It was made with another key than those trusted.
    UnknownKey(KeyId),
    /// Its key does not count any more.
    Revoked(KeyId),
    /// Its key's last day is over.
    Expired(KeyId),
    /// Its key's first day is still to come, as far as anybody knows here.
    NotYet(KeyId),
    /// Tarball, trusted comment and signature do not belong together.
    BadSignature,
    /// It was made for another file, or does not say for which.
    WrongFile(Option<String>),
    /// It does not say when it was made.
    NoTimestamp,
    /// The tarball cannot be read.
    File(FileError),
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.reason)
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignatureError::NoUsableKey => f.write_str("no trusted key can be used to verify its signature"),
            SignatureError::Malformed => f.write_str("its signature is no minisign signature"),
            SignatureError::Legacy => {
                f.write_str("its signature is of the old kind; sign it with minisign 0.8 or later")
            }
            SignatureError::UnknownKey(id) => write!(f, "it is signed with the key {id}, which is not trusted"),
            SignatureError::Revoked(id) => write!(f, "it is signed with the key {id}, which is revoked"),
            SignatureError::Expired(id) => write!(f, "it is signed with the key {id}, whose time is over"),
            SignatureError::NotYet(id) => write!(f, "it is signed with the key {id}, whose time has not begun"),
            SignatureError::BadSignature => f.write_str("its signature is not good: tarball or signature were changed"),
            SignatureError::WrongFile(None) => f.write_str("its signature does not say which file it is for"),
            SignatureError::WrongFile(Some(name)) => write!(f, "its signature is for another file, {name}"),
            SignatureError::NoTimestamp => f.write_str("its signature does not say when it was made"),
            SignatureError::File(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for SignatureError {}

impl TrustedKeys {
    /// Reads every `*.pub` of the folder. A missing or empty folder trusts everybody; any other folder without a usable key
    /// trusts nobody.
    #[must_use]
    pub fn load(folder: &Path) -> TrustedKeys {
        let mut trusted = TrustedKeys { keys: Vec::new(), problems: Vec::new(), open: false, now: 0 };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && fs::symlink_metadata(folder).is_err() => {
                trusted.open = true;
                return trusted;
            }
            Err(e) => {
                trusted.problem(&folder.display().to_string(), format!("cannot be read: {e}"));
                return trusted;
            }
        };
        trusted.open = true;
        let mut names = Vec::new();
        for entry in entries.take(MAX_FILES) {
            trusted.open = false;
            match entry {
                Ok(entry) => names.push(entry.file_name().to_string_lossy().into_owned()),
                Err(e) => trusted.problem(&folder.display().to_string(), format!("cannot be read: {e}")),
            }
        }
        sort(&mut names);
        for name in names {
            trusted.load_key(folder, name);
        }
        trusted
    }

    fn load_key(&mut self, folder: &Path, name: String) {
        if Path::new(&name).extension().map_or(true, |extension| extension != "pub") {
            self.problem(&name, "is no *.pub".to_string());
            return;
        }
        if self.keys.len() == MAX_KEYS {
            self.problem(&name, "one key too many".to_string());
            return;
        }
        let text = match file::read(&folder.join(&name), MAX_KEY_FILE) {
            Ok(bytes) => String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned(),
            Err(e) => return self.problem(&name, e.to_string()),
        };
        // The file that minisign writes, or the key's line alone.
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        match (PublicKey::from_base64(line), key_id(line)) {
            (Ok(key), Some(id)) => self.keys.push(Key { file: name, id, key: Some(key), term: Term::default() }),
            _ => self.problem(&name, "is no minisign public key".to_string()),
        }
    }

    /// What lies in the folder and is no key.
    pub fn problems(&self) -> impl Iterator<Item = &KeyProblem> {
        self.problems.iter()
    }

    fn problem(&mut self, file: &str, reason: String) {
        self.problems.push(KeyProblem { file: file.to_string(), reason });
    }

    /// The same keys where unsigned tarballs are refused also without any.
    #[must_use]
    pub fn closed(self) -> TrustedKeys {
        TrustedKeys { open: false, ..self }
    }

    /// Whether no key can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.keys.iter().any(|key| key.key.is_some() && key.term.judge(key.id, self.now, self.now).is_ok())
    }

    /// Whether unsigned tarballs are accepted: nothing lies in the folder.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// For `gwe --status`.
    #[must_use]
    pub fn summary(&self) -> String {
        match (self.open, self.is_empty()) {
            (true, _) => "unsigned packages accepted".to_string(),
            (false, true) => "no package is accepted: no trusted key can be used".to_string(),
            (false, _) => "only signed packages are accepted".to_string(),
        }
    }

    /// For `gwe --status`: each key as `<file> <key id>`, and when it counts; then each file that is no key, with the reason.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|key| format!("{} {}{}", key.file, key.id, key.term));
        keys.chain(self.problems.iter().map(|problem| format!("unusable: {problem}"))).collect()
    }

    /// Verifies that `signature` (the text of `<name>.minisig`) was made for this tarball, under this name, with a trusted key whose time
    /// it is. Whether it is older than what is installed is for the caller to compare. Memory is constant.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(&self, tarball: &Path, signature: &str, name: &str) -> Result<Signed, SignatureError> {
        let (signed, term) = self.made_by(tarball, signature, name)?;
        term.judge(signed.key, signed.timestamp, self.now)?;
        Ok(signed)
    }

    /// The same, whether or not it is the key's time; and when that is.
    ///
    /// # Errors
    /// As [`TrustedKeys::verify`].
    pub fn made_by(&self, tarball: &Path, signature: &str, name: &str) -> Result<(Signed, Term), SignatureError> {
        if self.keys.is_empty() {
            return Err(SignatureError::NoUsableKey);
        }
        if signature.len() > MAX_SIGNATURE {
            return Err(SignatureError::Malformed);
        }
        let id = signature.lines().nth(1).and_then(key_id).ok_or(SignatureError::Malformed)?;
        let signature = Signature::decode(signature).map_err(|_| SignatureError::Malformed)?;
        let mut verdict = SignatureError::UnknownKey(id);
        for trusted in self.keys.iter().filter(|trusted| trusted.id == id) {
            let Some(key) = &trusted.key else { return Err(SignatureError::Revoked(id)) };
            match verify_with(key, &signature, tarball) {
                Ok(()) => return Ok((signed(id, signature.trusted_comment(), name)?, trusted.term)),
                Err(e) => verdict = e,
            }
        }
        Err(verdict)
    }
}

fn verify_with(key: &PublicKey, signature: &Signature, tarball: &Path) -> Result<(), SignatureError> {
    let mut verifier = key.verify_stream(signature).map_err(|e| match e {
        minisign_verify::Error::UnsupportedLegacyMode => SignatureError::Legacy,
        _ => SignatureError::BadSignature,
    })?;
    let mut source = File::open(tarball).context("open", tarball).map_err(SignatureError::File)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => verifier.update(&buffer[..count]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(SignatureError::File(FileError::new("read", tarball, e))),
        }
    }
    // This covers the trusted comment too.
    verifier.finalize().map_err(|_| SignatureError::BadSignature)
}

/// Reads a verified trusted comment: `timestamp:1700000000<TAB>file:NAME<TAB>hashed`, as minisign writes it.
fn signed(key: KeyId, comment: &str, name: &str) -> Result<Signed, SignatureError> {
    let field = |wanted: &str| {
        comment
            .split('\t')
            .find_map(|part| part.split_once(':').filter(|(key, _)| *key == wanted))
            .map(|(_, value)| value)
    };
    match field("file") {
        Some(file) if file == name => {}
        other => {
            let shown = |file: &str| file.chars().take(100).map(|c| if c.is_control() { '?' } else { c }).collect();
            return Err(SignatureError::WrongFile(other.map(shown)));
        }
    }
    let timestamp = field("timestamp").and_then(|text| text.parse().ok()).ok_or(SignatureError::NoTimestamp)?;
    Ok(Signed { key, timestamp, comment: comment.to_string() })
}

/// The number in a base64 line that begins with two letters of the algorithm and eight bytes of the key's number, as keys and
/// signatures do.
pub(super) fn key_id(line: &str) -> Option<KeyId> {
    // 14 characters hold 10 bytes and 4 bits.
    let mut bits: u128 = 0;
    for c in line.trim().bytes().take(14) {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u128::from(six);
    }
    // The two letters of the algorithm stand above the 64 bits of the number, and the 4 bits below it.
    let id = (bits >> 4) as u64;
    (line.trim().len() >= 14).then(|| KeyId(id.to_be_bytes()))
}
