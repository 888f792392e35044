//! Who signs tarballs: a crate, which makes what the real `minisign` makes and is there on every machine, or the tool itself.

use super::command::{has_program, run};
use super::scratch::Scratch;
use super::skip::announce_skip;
use minisign::KeyPair;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIMIT: Duration = Duration::from_secs(60);

/// Whether the real `minisign` is in `PATH`; a test that it does not judge says so.
pub fn has_minisign() -> bool {
    has_program("minisign")
}

/// A key pair, and a folder with `key.pub` and what was signed.
pub struct Signer {
    folder: Scratch,
    /// `None`: the tool signs.
    keys: Option<KeyPair>,
}

impl Signer {
    /// The crate, whose signatures the real `minisign` judges where there is one.
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "it does I/O")]
    pub fn new() -> Signer {
        if !has_minisign() {
            announce_skip("needs minisign, to judge what the tests sign");
        }
        let keys = KeyPair::generate_unencrypted_keypair().expect("chance makes a key pair");
        let folder = Scratch::new();
        folder.write("key.pub", keys.pk.to_box().expect("a key has a text").to_string());
        Signer { folder, keys: Some(keys) }
    }

    /// The tool, where it is.
    #[track_caller]
    pub fn by_tool() -> Option<Signer> {
        let signer = has_minisign().then(|| Signer { folder: Scratch::new(), keys: None })?;
        signer.minisign(&["-G", "-W", "-p", "key.pub", "-s", "key.sec"]);
        Some(signer)
    }

    /// The signature of a tarball under this name, which lies beside it in the folder then; `comment`: instead of minisign's own trusted
    /// comment.
    #[track_caller]
    pub fn sign(&self, name: &str, bytes: &[u8], comment: Option<&str>) -> Vec<u8> {
        self.folder.write(name, bytes);
        let signature = self.folder.path(&format!("{name}.minisig"));
        let Some(keys) = &self.keys else {
            let own_words = comment.map(|comment| ["-t", comment]);
            let arguments = ["-S", "-W", "-s", "key.sec", "-m", name];
            self.minisign(&arguments.into_iter().chain(own_words.into_iter().flatten()).collect::<Vec<_>>());
            return fs::read(signature).expect("minisign wrote it");
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
        let comment = comment.map_or_else(|| format!("timestamp:{now}\tfile:{name}\thashed"), str::to_string);
        let signed = minisign::sign(Some(&keys.pk), &keys.sk, Cursor::new(bytes), Some(&comment), Some("a test"));
        let text = signed.expect("the key signs").into_string();
        fs::write(&signature, &text).expect("a scratch folder takes files");
        if has_minisign() {
            self.minisign(&["-V", "-p", "key.pub", "-m", name]);
        }
        text.into_bytes()
    }

    /// A signature of the old kind, over the bytes and not their digest. The crate makes none any more: its is told apart by its two first
    /// bytes, as that of the tool, and then not good.
    #[track_caller]
    pub fn sign_the_old_way(&self, name: &str, bytes: &[u8]) -> Vec<u8> {
        if self.keys.is_some() {
            let text = String::from_utf8(self.sign(name, bytes, None)).expect("a signature is text");
            // In base64, "ED" and "Ed" differ in their second letter.
            return text.replacen("\nRU", "\nRW", 1).into_bytes();
        }
        self.folder.write(name, bytes);
        self.minisign(&["-S", "-W", "-l", "-s", "key.sec", "-m", name]);
        fs::read(self.folder.path(&format!("{name}.minisig"))).expect("minisign wrote it")
    }

    /// The public key's file.
    pub fn public_key(&self) -> PathBuf {
        self.folder.path("key.pub")
    }

    /// Where it signs.
    pub fn folder(&self) -> &Scratch {
        &self.folder
    }

    #[track_caller]
    fn minisign(&self, arguments: &[&str]) {
        run(Command::new("minisign").args(arguments).current_dir(self.folder.root()), LIMIT).ok();
    }
}
