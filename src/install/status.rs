//! `fetch_status`: what the cloud reads of an install (spec: gateway-engine.md, "The loop").

use super::journal::{Job, Journal};

/// The longest report, in bytes; the middle is cut, and says so.
pub const MAX_STATUS: usize = 64 * 1024;
/// The longest output kept of one `install.sh`, in bytes.
pub const MAX_OUTPUT: usize = 32 * 1024;

/// The text for a journal whose jobs are all terminal.
#[must_use]
pub fn text(journal: &Journal) -> String {
    let mut out = String::new();
    let headed = journal.jobs.len() > 1;
    for job in &journal.jobs {
        if headed {
            out.push_str("== ");
            out.push_str(&job.name);
            out.push_str(" ==\n");
        }
        push_job(&mut out, job);
    }
    for remark in &journal.remarks {
        push_line(&mut out, remark);
    }
    cut_middle(out, MAX_STATUS)
}

/// One job's part: its output as it came, then its lines.
pub fn push_job(out: &mut String, job: &Job) {
    out.push_str(&job.output);
    if !job.output.is_empty() && !job.output.ends_with('\n') {
        out.push('\n');
    }
    for remark in &job.remarks {
        push_line(out, remark);
    }
    push_line(out, &job.verdict);
}

/// `3200` milliseconds as `3.2 s`.
#[must_use]
pub fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn push_line(out: &mut String, line: &str) {
    if !line.is_empty() {
        // A verdict is one line, whatever it quotes: nothing in it can pass for another app's.
        out.extend(line.chars().map(|c| if c.is_control() { ' ' } else { c }));
        out.push('\n');
    }
}

/// Cuts the middle out of a text longer than `max` bytes, and says so there.
#[must_use]
pub fn cut_middle(text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    const ROOM_FOR_NOTE: usize = 64;
    let half = max.saturating_sub(ROOM_FOR_NOTE) / 2;
    let head = (0..=half).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let from = text.len() - half;
    let tail = (from..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    format!("{}\n[gwe] ... {} bytes cut ...\n{}", &text[..head], tail - head, &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::request::Entry;

    fn job(name: &str, output: &str, verdict: &str) -> Job {
        let entry = Entry { name: name.into(), sha256: None, size: None };
        Job { output: output.into(), verdict: verdict.into(), ..Job::new(entry) }
    }

    #[test]
    fn one_app_has_no_heading_and_two_have() {
        let mut journal =
            Journal { jobs: vec![job("a.v1.tar.gz", "hello", "[gwe] installed a v1 in 0.1 s")], ..Journal::empty() };
        assert_eq!(text(&journal), "hello\n[gwe] installed a v1 in 0.1 s\n");
        journal.jobs.push(job("b.v2.tar.gz", "", "[gwe] failed b v2: a\nb"));
        assert_eq!(
            text(&journal),
            "== a.v1.tar.gz ==\nhello\n[gwe] installed a v1 in 0.1 s\n== b.v2.tar.gz ==\n[gwe] failed b v2: a b\n"
        );
    }

    #[test]
    fn the_middle_is_cut_at_characters_and_says_so() {
        let long = "é".repeat(MAX_STATUS);
        let cut = cut_middle(long, MAX_STATUS);
        assert!(cut.len() <= MAX_STATUS && cut.contains("bytes cut"), "{}", cut.len());
        assert_eq!(cut_middle("short".into(), MAX_STATUS), "short");
    }

    #[test]
    fn durations() {
        assert_eq!((seconds(0), seconds(3240), seconds(61_000)), ("0.0 s".into(), "3.2 s".into(), "61.0 s".into()));
    }
}
