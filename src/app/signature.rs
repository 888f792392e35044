//! Signatures of tarballs (design decision 6).

use std::fmt;
use std::fs;
use std::path::Path;

/// The public keys of `/etc/gwe/trusted`.
#[derive(Clone, Debug)]
pub struct TrustedKeys {
    names: Vec<String>,
}

/// What a good signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// When it was made, unix seconds.
    pub timestamp: u64,
}

/// Why a signature is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// No key can be used.
    NoUsableKey,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no trusted key can be used to verify its signature")
    }
}

impl TrustedKeys {
    /// Every file of the folder counts as a key: where one cannot be used, nothing unsigned gets in instead.
    #[must_use]
    pub fn load(folder: &Path) -> TrustedKeys {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        TrustedKeys { names: entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect() }
    }

    /// Whether unsigned tarballs are accepted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.names.is_empty()
    }

    /// For `gwe --status`.
    #[must_use]
    pub fn summary(&self) -> String {
        if self.is_open() {
            "unsigned packages accepted".to_string()
        } else {
            "only signed packages are accepted".to_string()
        }
    }

    /// The names of the key files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// Verifies a tarball's signature.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(&self, _tarball: &Path, _signature: &str, _name: &str) -> Result<Signed, SignatureError> {
        Err(SignatureError::NoUsableKey)
    }
}
