//! The small part of XML that XML-RPC needs: elements, text, CDATA, character references, comments and processing instructions.
//!
//! Attributes are skipped. A document type is refused, and with it every entity but the five that XML knows by itself, so no
//! text can grow while it is read. This module never recurses and allocates only for text that differs from its source.

use std::borrow::Cow;
use std::fmt;

/// What the reader comes across.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XmlToken<'a> {
    /// `<name …>`; `<name …/>` is this and then [`XmlToken::Close`].
    Open(&'a str),
    /// `</name>`.
    Close(&'a str),
    /// The characters between two tags, never empty.
    Text(Cow<'a, str>),
    /// The document is over.
    End,
}

/// Why a text is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XmlError {
    /// It ends within a tag, a comment or the like.
    Torn,
    /// A tag without a name.
    BadTag,
    /// `&…;` that is neither a character reference nor one of the five entities.
    BadReference,
    /// `<!DOCTYPE …>` or another declaration.
    Declaration,
}

impl XmlError {
    /// What is wrong, as the end of a sentence.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            XmlError::Torn => "it ends in the middle of a tag",
            XmlError::BadTag => "it has a tag without a name",
            XmlError::BadReference => "it has an unknown entity or character reference",
            XmlError::Declaration => "it has a document type",
        }
    }
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for XmlError {}

/// Walks through a document token by token. It does not check that tags match: its user knows which tag must come.
#[derive(Debug)]
pub struct XmlReader<'a> {
    rest: &'a str,
    /// The name of a `<name/>` that was given out as opened.
    to_close: Option<&'a str>,
}

impl<'a> XmlReader<'a> {
    /// Starts at the beginning of `text`.
    #[must_use]
    pub fn new(text: &'a str) -> XmlReader<'a> {
        XmlReader { rest: text.trim_start_matches('\u{feff}'), to_close: None }
    }

    /// The next token.
    ///
    /// # Errors
    /// The first thing that is no XML; what follows it is then meaningless.
    pub fn next_token(&mut self) -> Result<XmlToken<'a>, XmlError> {
        if let Some(name) = self.to_close.take() {
            return Ok(XmlToken::Close(name));
        }
        let text = self.text()?;
        if !text.is_empty() {
            return Ok(XmlToken::Text(text));
        }
        match self.rest.strip_prefix('<') {
            Some(tag) => self.tag(tag),
            None => Ok(XmlToken::End),
        }
    }

    /// All characters up to the next tag; comments and processing instructions do not end them.
    fn text(&mut self) -> Result<Cow<'a, str>, XmlError> {
        let mut text = Cow::Borrowed("");
        while !self.rest.is_empty() {
            if let Some(rest) = self.rest.strip_prefix("<!--") {
                (_, self.rest) = rest.split_once("-->").ok_or(XmlError::Torn)?;
            } else if let Some(rest) = self.rest.strip_prefix("<?") {
                (_, self.rest) = rest.split_once("?>").ok_or(XmlError::Torn)?;
            } else if let Some(rest) = self.rest.strip_prefix("<![CDATA[") {
                let (data, rest) = rest.split_once("]]>").ok_or(XmlError::Torn)?;
                append(&mut text, line_ends(data));
                self.rest = rest;
            } else if self.rest.starts_with("<!") {
                return Err(XmlError::Declaration);
            } else {
                let end = self.rest.find('<').unwrap_or(self.rest.len());
                if end == 0 {
                    break;
                }
                let (raw, rest) = self.rest.split_at(end);
                append(&mut text, decode(raw)?);
                self.rest = rest;
            }
        }
        Ok(text)
    }

    /// `tag` begins behind the `<`.
    fn tag(&mut self, tag: &'a str) -> Result<XmlToken<'a>, XmlError> {
        let end = tag_end(tag).ok_or(XmlError::Torn)?;
        self.rest = &tag[end + 1..];
        let inner = &tag[..end];
        if let Some(name) = inner.strip_prefix('/') {
            return Ok(XmlToken::Close(name.trim_end()));
        }
        let (inner, empty) = match inner.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let name = inner.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
        if name.is_empty() {
            return Err(XmlError::BadTag);
        }
        if empty {
            self.to_close = Some(name);
        }
        Ok(XmlToken::Open(name))
    }
}

/// Where the `>` of a tag stands; one within an attribute's quotes is none.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, b) in tag.bytes().enumerate() {
        match quote {
            Some(open) if b == open => quote = None,
            Some(_) => {}
            None => match b {
                b'>' => return Some(at),
                b'"' | b'\'' => quote = Some(b),
                _ => {}
            },
        }
    }
    None
}

fn append<'a>(text: &mut Cow<'a, str>, more: Cow<'a, str>) {
    if text.is_empty() {
        *text = more;
    } else {
        text.to_mut().push_str(&more);
    }
}

/// Every line ends with `\n`, as XML wants it.
fn line_ends(raw: &str) -> Cow<'_, str> {
    if raw.contains('\r') {
        Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(raw)
    }
}

fn decode(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    let text = line_ends(raw);
    if !text.contains('&') {
        return Ok(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some((before, reference)) = rest.split_once('&') {
        decoded.push_str(before);
        let (name, behind) = reference.split_once(';').ok_or(XmlError::BadReference)?;
        decoded.push(character(name)?);
        rest = behind;
    }
    decoded.push_str(rest);
    Ok(Cow::Owned(decoded))
}

/// What `&name;` stands for. A number that is no character becomes U+FFFD.
fn character(name: &str) -> Result<char, XmlError> {
    let Some(number) = name.strip_prefix('#') else {
        return match name {
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "amp" => Ok('&'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => Err(XmlError::BadReference),
        };
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(hex) => (hex, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(XmlError::BadReference);
    }
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    Ok(char::from_u32(code).filter(|c| *c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// Appends `text` with everything escaped that XML would take for its own; what XML cannot carry becomes U+FFFD.
pub fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
