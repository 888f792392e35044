//! Whether unsigned packages are refused whatever keys there are.
//!
//! Invariant: a value that makes no sense is no "no" (docs/spec/failures.md, A14). What an image's own file says counts where the file beside it
//! cannot be read.

use super::Config;

/// The setting.
pub const KEY: &str = "require_signatures";

impl Config {
    /// Whether a package needs the signature of a trusted key also where there is no key.
    #[must_use]
    pub fn requires_signatures(&self) -> bool {
        self.engine.get(KEY) == "yes" || self.engine.refused(KEY).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Paths;
    use std::fs;

    /// docs/spec/failures.md, F9.
    #[test]
    fn only_a_plain_no_is_no() {
        let root = std::env::temp_dir().join(format!("gwe-signatures-{}", std::process::id()));
        fs::create_dir_all(root.join("etc/gwe")).unwrap();
        fs::create_dir_all(root.join("var/lib/gwe")).unwrap();
        for (factory, state, required) in [
            ("", "", false),
            ("require_signatures = no", "", false),
            ("require_signatures = yes", "", true),
            ("require_signatures = yes", "settle = 3", true),
            ("", "require_signatures = yes", true),
            ("", "require_signatures = true", true),
            ("require_signatures = yes", "require_signatures = never", true),
            ("require_signatures = YES", "", true),
            ("require_signatures = yes", "\0\0\0", true),
        ] {
            fs::write(root.join("etc/gwe/Engine.config"), format!("[install]\n{factory}\n")).unwrap();
            fs::write(root.join("var/lib/gwe/Engine.config"), format!("[install]\n{state}\n")).unwrap();
            let config = Config::load(Paths::new(&root));
            assert_eq!(config.requires_signatures(), required, "{factory} / {state}");
        }
        fs::remove_dir_all(root).unwrap();
    }
}
