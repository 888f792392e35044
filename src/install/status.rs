//! `fetch_status`: what the cloud reads of an install (docs/spec/gateway-engine.md, "The loop").

use super::journal::{Job, Journal};
use crate::format::sort::sort;

/// The longest report, in bytes; the middle is cut, and says so.
pub const MAX_STATUS: usize = 64 * 1024;
/// The longest output kept of one `install.sh`, in bytes.
pub const MAX_OUTPUT: usize = 32 * 1024;

/// How much of its output a job keeps where there are so many, in bytes: the more jobs, the less each can show.
#[must_use]
pub fn room(jobs: usize) -> usize {
    (2 * MAX_STATUS / jobs.max(1)).min(MAX_OUTPUT)
}

/// The text for those of a journal's jobs that are terminal. Where it would be too long, outputs give way, the longest first: every
/// job's verdict is what the cloud waits for.
#[must_use]
pub fn text(journal: &Journal) -> String {
    let logs = journal.logs.as_deref().unwrap_or_default();
    let headed = journal.jobs.len() > 1 || !logs.is_empty();
    let share = share(journal, headed);
    // Before the verdicts: whoever looks at the last line finds one there.
    let mut out = logs.to_string();
    for job in told(journal) {
        if headed {
            push_heading(&mut out, job);
        }
        push_output(&mut out, &cut_middle(job.output.clone(), share));
        push_lines(&mut out, job);
    }
    for remark in &journal.remarks {
        push_line(&mut out, remark);
    }
    cut_middle(out, MAX_STATUS)
}

/// What there is to tell: one that goes on has its turn later.
fn told(journal: &Journal) -> impl Iterator<Item = &Job> {
    journal.jobs.iter().filter(|job| !job.verdict.is_empty())
}

/// The most that each output may show, so that all of it fits.
fn share(journal: &Journal, headed: bool) -> usize {
    let mut lines = journal.logs.clone().unwrap_or_default();
    for job in told(journal) {
        if headed {
            push_heading(&mut lines, job);
        }
        push_lines(&mut lines, job);
    }
    journal.remarks.iter().for_each(|remark| push_line(&mut lines, remark));
    // A line end may be added to each.
    let mut outputs: Vec<usize> = told(journal).map(|job| job.output.len() + 1).collect();
    sort(&mut outputs);
    let mut room = MAX_STATUS.saturating_sub(lines.len());
    for (index, output) in outputs.iter().enumerate() {
        let share = room / (outputs.len() - index);
        if *output > share {
            return share.saturating_sub(1);
        }
        room -= output;
    }
    MAX_STATUS
}

fn push_heading(out: &mut String, job: &Job) {
    out.push_str("== ");
    out.push_str(&job.name);
    out.push_str(" ==\n");
}

/// A job's output as it came.
fn push_output(out: &mut String, output: &str) {
    out.push_str(output);
    if !output.is_empty() && !output.ends_with('\n') {
        out.push('\n');
    }
}

/// What the agent says of a job.
fn push_lines(out: &mut String, job: &Job) {
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

/// Cuts the end of a text longer than `max` bytes, and says so there.
#[must_use]
pub fn cut_end(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_string();
    }
    let end = (0..=max.saturating_sub(ELLIPSIS.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    [&text[..end], ELLIPSIS].concat()
}

const ELLIPSIS: &str = " ...";

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
        let entry = Entry::named(name.into());
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
    fn no_verdict_is_ever_cut_whatever_the_outputs() {
        for jobs in [1, 2, 3, 7, 64] {
            let mut journal = Journal::empty();
            for n in 0..jobs {
                let length = if n % 3 == 0 { 10 } else { MAX_OUTPUT };
                journal.jobs.push(job(
                    &format!("a{n}.v1.tar.gz"),
                    &"é".repeat(length / 2),
                    &format!("[gwe] verdict {n}"),
                ));
            }
            let text = text(&journal);
            assert!(text.len() <= MAX_STATUS, "{jobs}: {}", text.len());
            for n in 0..jobs {
                assert!(text.contains(&format!("\n[gwe] verdict {n}\n")), "{jobs}: verdict {n} is cut");
            }
            assert_eq!(text.contains("bytes cut"), jobs > 2, "{jobs}");
        }
        assert_eq!(cut_end("éé", 3), " ...");
        assert_eq!((cut_end("short", 5), cut_end(&"x".repeat(20), 10)), ("short".into(), "xxxxxx ...".into()));
    }

    #[test]
    fn logs_come_first_and_outputs_give_way_to_them() {
        let mut journal = Journal { logs: Some("== log of a: /l ==\n| x\n".into()), ..Journal::empty() };
        assert_eq!(text(&journal), "== log of a: /l ==\n| x\n");
        journal.jobs.push(job("a.v1.tar.gz", "hello", "[gwe] installed a v1 in 0.1 s"));
        let job_told = "== a.v1.tar.gz ==\nhello\n[gwe] installed a v1 in 0.1 s\n";
        assert_eq!(text(&journal), ["== log of a: /l ==\n| x\n", job_told].concat());
        journal.logs = Some("| line\n".repeat(4096));
        journal.jobs = (0..3).map(|n| job(&format!("a{n}.v1.tar.gz"), &"x".repeat(MAX_OUTPUT), "[gwe] done")).collect();
        let text = text(&journal);
        assert!(text.len() <= MAX_STATUS && text.starts_with(&"| line\n".repeat(4096)), "{}", text.len());
        assert_eq!(text.matches("\n[gwe] done\n").count(), 3);
    }

    #[test]
    fn durations() {
        assert_eq!((seconds(0), seconds(3240), seconds(61_000)), ("0.0 s".into(), "3.2 s".into(), "61.0 s".into()));
    }
}
