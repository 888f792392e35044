//! A name as it was asked for: read once, when it is taken up, and carried as what it turned out to be.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use miniserde::de::{Deserialize, Visitor};
use miniserde::ser::{Fragment, Serialize};
use miniserde::{make_place, Result as JsonResult};

use crate::app::name::NameError;
use crate::app::TarballName;

/// A tarball's name, good or bad, or the bare name of an app: what orders and the files of state say. It reads as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedName {
    text: String,
    tarball: Result<TarballName, NameError>,
}

impl AskedName {
    /// Reads a name; any text is one.
    #[must_use]
    pub fn new(text: impl Into<String>) -> AskedName {
        let text = text.into();
        let tarball = TarballName::parse(&text);
        AskedName { text, tarball }
    }

    /// The tarball that it names; `Err`: why it names none.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn tarball(&self) -> Result<TarballName, NameError> {
        self.tarball.clone()
    }

    /// The app that it is about, whether or not it is a good name.
    #[must_use]
    pub fn app(&self) -> &str {
        match &self.tarball {
            Ok(tarball) => tarball.app(),
            Err(_) => self.text.split_once(".v").map_or(&self.text, |(app, _)| app),
        }
    }
}

impl Deref for AskedName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl PartialEq<str> for AskedName {
    fn eq(&self, text: &str) -> bool {
        self.text == *text
    }
}

impl fmt::Display for AskedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for AskedName {
    fn begin(&self) -> Fragment<'_> {
        Fragment::Str(Cow::Borrowed(&self.text))
    }
}

make_place!(Place);

impl Visitor for Place<AskedName> {
    fn string(&mut self, text: &str) -> JsonResult<()> {
        self.out = Some(AskedName::new(text));
        Ok(())
    }
}

impl Deserialize for AskedName {
    fn begin(out: &mut Option<Self>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniserde::json;

    #[test]
    fn every_text_has_an_app_and_comes_back_as_it_was() {
        for (text, app, is_good) in [
            ("my_app.v1.2.tar.gz", "my_app", true),
            ("a.v1.v2.tar.gz", "a", true),
            ("my_app.v1.zip", "my_app", false),
            ("gmq.v1.tar.gz", "gmq", false),
            (".v1.tar.gz", "", false),
            ("../x.v1.tar.gz", "../x", false),
            ("my_app", "my_app", false),
            ("a\"\u{e9}\n", "a\"\u{e9}\n", false),
            ("", "", false),
        ] {
            let name = AskedName::new(text);
            assert_eq!((name.app(), name.tarball().is_ok(), &*name), (app, is_good, text));
            let kept = json::to_string(&name);
            assert_eq!(kept, json::to_string(&text.to_string()), "an older version reads the same");
            assert_eq!(json::from_str::<AskedName>(&kept).unwrap(), name);
        }
        assert!(json::from_str::<AskedName>("7").is_err());
    }
}
