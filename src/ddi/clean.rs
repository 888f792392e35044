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

/// A longer text as messages: as many lines in each as fit, and the newest of all where not all do.
#[must_use]
pub fn newest(text: &str) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for line in text.lines().rev().map(message).filter(|line| !line.is_empty()) {
        let is_last = messages.len() == MAX_MESSAGES - 1;
        match messages.last_mut() {
            Some(last) if last.chars().count() + 1 + line.chars().count() <= MAX_MESSAGE => {
                *last = [&line, " ", last.as_str()].concat();
            }
            _ if is_last => {
                messages.push("... (older lines are left out)".to_string());
                break;
            }
            _ => messages.push(line),
        }
    }
    messages.reverse();
    messages
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
    fn of_a_long_text_the_newest_lines_are_kept() {
        assert_eq!(newest("| a\n\n| b\n"), ["| a | b"]);
        assert!(newest("").is_empty());
        let text: String = (0..9999).map(|n| format!("| <ä> line {n}\n")).collect();
        let all = newest(&text);
        assert_eq!((all.len(), all[0].as_str()), (MAX_MESSAGES, "... (older lines are left out)"));
        assert!(all[MAX_MESSAGES - 1].ends_with("| (ä) line 9998"), "{}", all[MAX_MESSAGES - 1]);
        assert!(all.iter().all(|message| message.chars().count() <= MAX_MESSAGE && !message.contains('<')));
        // The lines follow each other, over the messages' edges too.
        let told = all[1..].join(" ");
        let numbers: Vec<u32> =
            told.split("line ").skip(1).map(|n| n.split(' ').next().unwrap().parse().unwrap()).collect();
        assert!(numbers.len() > 500 && numbers.windows(2).all(|two| two[0] + 1 == two[1]));
        assert_eq!(newest(&"x".repeat(2000)).len(), 1);
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
