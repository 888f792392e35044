//! XML-RPC, as Python's `xmlrpc.client` marshals it: calls out, answers in (docs/spec/supervisord.md).
//!
//! Invariants: reading never recurses, keeps to the limits below, and never panics on any bytes.

pub mod server;

use super::xml::{escape_into, XmlError, XmlReader, XmlToken};
use std::fmt;

/// A longer answer is refused, in bytes. Thirty processes are some 40 kB.
pub const MAX_BYTES: usize = 1 << 20;
/// Arrays and structs may stand so deep within each other; supervisord's answers need three.
pub const MAX_DEPTH: usize = 32;
/// An answer may hold so many values; with the bound on bytes this bounds its memory at a few megabytes.
pub const MAX_VALUES: usize = 32_768;

/// A value of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `nil`.
    Nil,
    /// `boolean`.
    Bool(bool),
    /// `int`, `i4` and the other whole numbers.
    Int(i64),
    /// `string`, or bare text.
    Text(String),
    /// `double`, `dateTime.iso8601`, `base64` and the like: the type's name and the text, which nobody here looks into.
    Other(&'static str, String),
    /// `array`.
    Array(Vec<Value>),
    /// `struct`, its members in order.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// The text, where it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, where it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The items, where it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The member of that name, where it is a struct and has one; of two the last, as in Python.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Struct(members) => members.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodResponse {
    /// What the method returned.
    Value(Value),
    /// Why it did not.
    Fault {
        /// The server's number for it.
        code: i64,
        /// The server's text, unfiltered: it may quote what must not leave the gateway (docs/spec/supervisord.md, trap 6).
        text: String,
    },
}

/// Why an answer cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcError {
    /// It is no XML.
    Xml(XmlError),
    /// It is over [`MAX_BYTES`] or [`MAX_VALUES`].
    TooLarge,
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// It is XML, but no `methodResponse`, or is cut off.
    NoAnswer,
    /// A value has a type that there is not, or a text that its type does not allow.
    BadValue,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RpcError::Xml(e) => e.text(),
            RpcError::TooLarge => "it is larger than its limit",
            RpcError::TooDeep => "its values are nested too deep",
            RpcError::NoAnswer => "it is no whole methodResponse",
            RpcError::BadValue => "one of its values cannot be read",
        })
    }
}

impl std::error::Error for RpcError {}

impl From<XmlError> for RpcError {
    fn from(e: XmlError) -> RpcError {
        RpcError::Xml(e)
    }
}

/// A parameter of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param<'a> {
    /// A string.
    Text(&'a str),
    /// An int.
    Int(i32),
    /// A boolean.
    Bool(bool),
}

/// The text of a call.
#[must_use]
pub fn method_call(method: &str, params: &[Param<'_>]) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodCall><methodName>");
    escape_into(&mut out, method);
    out.push_str("</methodName><params>");
    for param in params {
        out.push_str("<param><value>");
        match param {
            Param::Text(text) => {
                out.push_str("<string>");
                escape_into(&mut out, text);
                out.push_str("</string>");
            }
            Param::Int(number) => {
                out.push_str("<int>");
                out.push_str(&number.to_string());
                out.push_str("</int>");
            }
            Param::Bool(yes) => {
                out.push_str("<boolean>");
                out.push(if *yes { '1' } else { '0' });
                out.push_str("</boolean>");
            }
        }
        out.push_str("</value></param>");
    }
    out.push_str("</params></methodCall>\n");
    out
}

/// Reads an answer. Bytes that are no UTF-8 become U+FFFD.
///
/// # Errors
/// Why it cannot be understood.
pub fn method_response(bytes: &[u8]) -> Result<MethodResponse, RpcError> {
    if bytes.len() > MAX_BYTES {
        return Err(RpcError::TooLarge);
    }
    let text = String::from_utf8_lossy(bytes);
    let mut parser = RpcParser { reader: XmlReader::new(&text), ahead: None, values: 0 };
    parser.open("methodResponse")?;
    let answer = if parser.try_open("fault")? {
        parser.open("value")?;
        let fault = parser.value()?;
        parser.close("fault")?;
        let code = fault.get("faultCode").and_then(Value::as_int).ok_or(RpcError::NoAnswer)?;
        let text = fault.get("faultString").and_then(Value::as_text).unwrap_or_default().to_string();
        MethodResponse::Fault { code, text }
    } else {
        parser.open("params")?;
        parser.open("param")?;
        parser.open("value")?;
        let value = parser.value()?;
        parser.close("param")?;
        parser.close("params")?;
        MethodResponse::Value(value)
    };
    parser.close("methodResponse")?;
    Ok(answer)
}

/// An array or a struct whose values are being read.
enum Frame {
    Array(Vec<Value>),
    /// The members so far, and the name of the one that comes.
    Struct(Vec<(String, Value)>, String),
}

struct RpcParser<'a> {
    reader: XmlReader<'a>,
    /// A token that was looked at and not taken.
    ahead: Option<XmlToken<'a>>,
    values: usize,
}

impl<'a> RpcParser<'a> {
    fn next(&mut self) -> Result<XmlToken<'a>, RpcError> {
        match self.ahead.take() {
            Some(token) => Ok(token),
            None => Ok(self.reader.next_token()?),
        }
    }

    /// The next token that is not white space between tags.
    fn next_tag(&mut self) -> Result<XmlToken<'a>, RpcError> {
        match self.next()? {
            XmlToken::Text(text) if text.trim().is_empty() => self.next(),
            token => Ok(token),
        }
    }

    fn open(&mut self, name: &str) -> Result<(), RpcError> {
        if self.try_open(name)? {
            Ok(())
        } else {
            Err(RpcError::NoAnswer)
        }
    }

    /// Takes `<name>` where that is what comes.
    fn try_open(&mut self, name: &str) -> Result<bool, RpcError> {
        let token = self.next_tag()?;
        if token == XmlToken::Open(name) {
            return Ok(true);
        }
        self.ahead = Some(token);
        Ok(false)
    }

    fn close(&mut self, name: &str) -> Result<(), RpcError> {
        if self.next_tag()? == XmlToken::Close(name) {
            Ok(())
        } else {
            Err(RpcError::NoAnswer)
        }
    }

    /// The text up to `</name>`, and that tag.
    fn text(&mut self, name: &str) -> Result<String, RpcError> {
        let (text, end) = match self.next()? {
            XmlToken::Text(text) => (text.into_owned(), self.next()?),
            token => (String::new(), token),
        };
        if end == XmlToken::Close(name) {
            Ok(text)
        } else {
            Err(RpcError::NoAnswer)
        }
    }

    /// `<member><name>…</name><value>`, behind its first tag.
    fn member(&mut self) -> Result<String, RpcError> {
        self.open("name")?;
        let name = self.text("name")?;
        self.open("value")?;
        Ok(name)
    }

    /// One value with all that it holds, from behind its `<value>` to its `</value>`.
    fn value(&mut self) -> Result<Value, RpcError> {
        let mut stack: Vec<Frame> = Vec::new();
        loop {
            self.values += 1;
            if self.values > MAX_VALUES {
                return Err(RpcError::TooLarge);
            }
            let Some(mut value) = self.scalar_or_open(&mut stack)? else { continue };
            // A value is whole: hand it up, until something wants another one.
            loop {
                match stack.pop() {
                    None => return Ok(value),
                    Some(Frame::Array(mut items)) => {
                        items.push(value);
                        if self.try_open("value")? {
                            stack.push(Frame::Array(items));
                            break;
                        }
                        value = self.close_array(items)?;
                    }
                    Some(Frame::Struct(mut members, name)) => {
                        members.push((name, value));
                        self.close("member")?;
                        if self.try_open("member")? {
                            let name = self.member()?;
                            stack.push(Frame::Struct(members, name));
                            break;
                        }
                        value = self.close_struct(members)?;
                    }
                }
            }
        }
    }

    /// Reads what begins behind a `<value>`. `None`: an array or a struct began, is on the stack, and its first value comes.
    fn scalar_or_open(&mut self, stack: &mut Vec<Frame>) -> Result<Option<Value>, RpcError> {
        let bare = match self.next()? {
            XmlToken::Text(text) => Some(text),
            token => {
                self.ahead = Some(token);
                None
            }
        };
        let name = match self.next()? {
            XmlToken::Close("value") => return Ok(Some(Value::Text(bare.unwrap_or_default().into_owned()))),
            XmlToken::Open(name) if bare.map_or(true, |text| text.trim().is_empty()) => name,
            _ => return Err(RpcError::NoAnswer),
        };
        if !matches!(name, "array" | "struct") {
            let value = scalar(name, self.text(name)?)?;
            self.close("value")?;
            return Ok(Some(value));
        }
        if stack.len() >= MAX_DEPTH {
            return Err(RpcError::TooDeep);
        }
        if name == "array" {
            self.open("data")?;
            if !self.try_open("value")? {
                return self.close_array(Vec::new()).map(Some);
            }
            stack.push(Frame::Array(Vec::new()));
        } else {
            if !self.try_open("member")? {
                return self.close_struct(Vec::new()).map(Some);
            }
            let name = self.member()?;
            stack.push(Frame::Struct(Vec::new(), name));
        }
        Ok(None)
    }

    fn close_array(&mut self, items: Vec<Value>) -> Result<Value, RpcError> {
        self.close("data")?;
        self.close("array")?;
        self.close("value")?;
        Ok(Value::Array(items))
    }

    fn close_struct(&mut self, members: Vec<(String, Value)>) -> Result<Value, RpcError> {
        self.close("struct")?;
        self.close("value")?;
        Ok(Value::Struct(members))
    }
}

fn scalar(name: &str, text: String) -> Result<Value, RpcError> {
    Ok(match name {
        "string" => Value::Text(text),
        "int" | "i4" | "i8" | "i2" | "i1" => Value::Int(text.trim().parse().map_err(|_| RpcError::BadValue)?),
        "boolean" => match text.trim() {
            "0" => Value::Bool(false),
            "1" => Value::Bool(true),
            _ => return Err(RpcError::BadValue),
        },
        "nil" => Value::Nil,
        "double" => Value::Other("double", text),
        "dateTime.iso8601" => Value::Other("dateTime.iso8601", text),
        "base64" => Value::Other("base64", text),
        _ => return Err(RpcError::BadValue),
    })
}

#[cfg(test)]
mod tests;
