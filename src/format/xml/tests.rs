//! Text in, events or errors out, by tables.

use super::*;

fn tokens(text: &str) -> Result<Vec<String>, XmlError> {
    let mut reader = XmlReader::new(text);
    let mut list = Vec::new();
    loop {
        match reader.next_token()? {
            XmlToken::Open(name) => list.push(format!("+{name}")),
            XmlToken::Close(name) => list.push(format!("-{name}")),
            XmlToken::Text(text) => list.push(format!("'{text}'")),
            XmlToken::End => return Ok(list),
        }
    }
}

#[test]
fn documents_fall_into_tokens() {
    for (text, want) in [
        ("", ""),
        ("\u{feff}<?xml version='1.0'?>\n<a/>", "'\n' +a -a"),
        ("<a>b</a >", "+a 'b' -a"),
        ("<a x='>' y=\"'/>\"/>", "+a -a"),
        ("<a\n x='1'>", "+a"),
        ("<a>1<!-- <b> & -->2<![CDATA[<&>]]>3<?p >?>4</a>", "+a '12<&>34' -a"),
        ("&lt;&gt;&amp;&quot;&apos;", "'<>&\"''"),
        ("&#65;&#x42;&#x1F600;&#0;&#xD800;&#99999999999;", "'AB\u{1F600}\u{fffd}\u{fffd}\u{fffd}'"),
        ("a\r\nb\rc&#13;", "'a\nb\nc\r'"),
        ("<![CDATA[]]>", ""),
        ("a > b ]]> c", "'a > b ]]> c'"),
    ] {
        let want: Vec<&str> = if want.is_empty() { Vec::new() } else { want.split(' ').collect() };
        let got = tokens(text).unwrap();
        assert_eq!(got.join(" "), want.join(" "), "{text}");
    }
}

#[test]
fn what_is_no_document_is_named() {
    for (text, want) in [
        ("<", XmlError::Torn),
        ("<a", XmlError::Torn),
        ("<a x='>", XmlError::Torn),
        ("<!-- ", XmlError::Torn),
        ("<?xml", XmlError::Torn),
        ("<![CDATA[ ]]", XmlError::Torn),
        ("<>", XmlError::BadTag),
        ("< a>", XmlError::BadTag),
        ("&", XmlError::BadReference),
        ("&lol;", XmlError::BadReference),
        ("&#;", XmlError::BadReference),
        ("&#x;", XmlError::BadReference),
        ("&#+1;", XmlError::BadReference),
        ("&#12a;", XmlError::BadReference),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", XmlError::Declaration),
    ] {
        assert_eq!(tokens(text), Err(want), "{text}");
        assert!(!want.to_string().is_empty());
    }
}

#[test]
fn what_is_escaped_reads_as_it_was() {
    for text in ["a<b>&c;", "]]>", "\r\n\t", "é\u{1F600}"] {
        let mut escaped = String::new();
        escape_into(&mut escaped, text);
        assert_eq!(decode(&escaped).unwrap(), text);
    }
    let mut escaped = String::new();
    escape_into(&mut escaped, "\0\u{1}\u{1b}\u{ffff}");
    assert_eq!(escaped, "\u{fffd}".repeat(4));
}
