//! What a server takes of texts: feedback with markup or too many messages is refused as a whole, and its action then never ends
//! (hawkbit#1321); one attribute with a foreign character refuses all of them (hawkbit#1083).

/// Messages in one feedback; the server takes 50, and makes some of its own.
pub const MAX_MESSAGES: usize = 40;
/// Characters in one message; the server cuts longer ones into several.
pub const MAX_MESSAGE: usize = 512;
/// Attributes of one gateway; the server takes 100.
pub const MAX_ATTRIBUTES: usize = 90;
/// Characters of a value.
const MAX_VALUE: usize = 128;
/// Characters of a name: servers before 0.3.0 take so many.
const MAX_KEY: usize = 32;
/// What names and values may hold beside letters and digits.
const ALLOWED: &str = "_-!@#$%^&*()+=[]{}|;:'\",.<>/\\? ";

/// The messages of a feedback: the first ones, each one line without markup.
#[must_use]
pub fn messages(lines: &[String]) -> Vec<String> {
    let clean = lines.iter().map(|line| message(line)).filter(|line| !line.is_empty());
    let mut all: Vec<String> = clean.take(MAX_MESSAGES + 1).collect();
    if all.len() > MAX_MESSAGES {
        all.truncate(MAX_MESSAGES - 1);
        all.push("... (the rest is in the gateway's log)".to_string());
    }
    all
}

fn message(line: &str) -> String {
    let visible = |c: char| match c {
        '<' => '(',
        '>' => ')',
        c if c.is_control() => ' ',
        c => c,
    };
    let line: String = line.trim().chars().map(visible).collect();
    if line.chars().count() <= MAX_MESSAGE {
        return line;
    }
    line.chars().take(MAX_MESSAGE - 3).chain("...".chars()).collect()
}

/// The attributes as the server takes them: bounded, of its characters, none empty, each name once, in the order of names.
#[must_use]
pub fn attributes(all: &[(String, String)]) -> Vec<(String, String)> {
    let mut clean: Vec<(String, String)> = Vec::new();
    for (key, value) in all {
        let (key, value) = (of_allowed(key, MAX_KEY), of_allowed(value, MAX_VALUE));
        if !key.is_empty() && !value.is_empty() && !clean.iter().any(|(known, _)| *known == key) {
            clean.push((key, value));
        }
    }
    if clean.len() > MAX_ATTRIBUTES {
        let more = clean.len() - (MAX_ATTRIBUTES - 1);
        clean.truncate(MAX_ATTRIBUTES - 1);
        clean.push(("apps_more".to_string(), more.to_string()));
    }
    crate::format::sort::sort(&mut clean);
    clean
}

fn of_allowed(text: &str, max: usize) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || ALLOWED.contains(c) { c } else { '_' };
    text.trim().chars().map(allowed).take(max).collect::<String>().trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_is_refused_whatever_it_quotes() {
        for (line, want) in [
            ("plain", "plain"),
            ("<new> & </b> <!x <?y", "(new) & (/b) (!x (?y"),
            ("a\nb\u{1b}[1m\0", "a b [1m "),
            ("é ä °", "é ä °"),
            ("  ", ""),
        ] {
            assert_eq!(message(line), want, "{line:?}");
        }
        let long = message(&"ä".repeat(600));
        assert!(long.chars().count() == MAX_MESSAGE && long.ends_with("..."));
        let lines: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let cut = messages(&lines);
        assert_eq!((cut.len(), cut[0].as_str()), (MAX_MESSAGES, "0"));
        assert_eq!(messages(&lines[..MAX_MESSAGES]).len(), MAX_MESSAGES);
    }

    #[test]
    fn attributes_are_what_the_server_takes() {
        let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
        let cleaned =
            attributes(&[pair("os", "Ärm ~1`\n"), pair("b", ""), pair("a", "x"), pair("a", "y"), pair("", "z")]);
        assert_eq!(cleaned, [pair("a", "x"), pair("os", "_rm _1_")]);
        let long = attributes(&[pair(&"k".repeat(200), &"v".repeat(200))]);
        assert_eq!((long[0].0.len(), long[0].1.len()), (MAX_KEY, MAX_VALUE));
        let many: Vec<_> = (0..150).map(|n| pair(&format!("app.{n:03}"), "1")).collect();
        let many = attributes(&many);
        assert_eq!((many.len(), many.iter().find(|(key, _)| key == "apps_more").unwrap().1.as_str()), (90, "61"));
    }
}
