//! A new agent that takes the whole machine down: its check-ins are counted durably before they begin, and that they ended is noted
//! when they have (docs/spec/failures.md, A1).
//!
//! A power cut looks the same, so cuts alone cost no version: after [`MAX_CUTS`] in a row the version before does a check-in, by
//! which the machine is seen to stay up, and then the new one has its last try. What is cut before the check-in of the trial
//! begins, in the boot or in the pause, is not counted at all.

use super::agent::Agents;

/// Check-ins of a trial in a row that came to no end, after which the version before shows whether the power is to blame.
pub const MAX_CUTS: u32 = 3;

impl Agents {
    /// What must be durable before the next check-in begins; `None`: nothing new.
    #[must_use]
    pub fn before_check_in(&self) -> Option<Agents> {
        if !self.trial || self.current.is_none() || self.is_comparing() {
            return None;
        }
        let begun = self.begun.unwrap_or(0);
        if begun >= MAX_CUTS && self.compared.is_none() {
            return Some(Agents { compared: Some(false), ..self.clone() });
        }
        if begun > MAX_CUTS && self.compared == Some(true) {
            let why =
                format!("the gateway went down {begun} times in its check-ins, and not in that of the version before");
            return Some(self.drop_current(&why));
        }
        Some(Agents { begun: Some(begun.saturating_add(1)), ..self.clone() })
    }

    /// The check-in that was begun last was stopped in order: it does not count.
    #[must_use]
    pub fn stopped(&self) -> Option<Agents> {
        let begun = self.begun.filter(|_| !self.is_comparing())?;
        Some(Agents { begun: begun.checked_sub(1), ..self.clone() })
    }

    pub(super) fn is_comparing_cuts(&self) -> bool {
        self.trial && self.compared == Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::agent::{CheckIn, Version};

    fn version(name: &str) -> Version {
        Version { version: name.into(), slot: "a".into(), sha256: "h".into() }
    }

    /// What becomes of a trial by check-ins that end as they are spelled: `c`ompleted, `f`ailed, `x` crashed, `s`topped, `.` cut.
    fn play(history: &str) -> Agents {
        let start = Agents { current: Some(version("1")), ..Agents::factory() }.with_trial(version("2"));
        history.chars().fold(start, |agents, end| {
            let begun = agents.before_check_in().unwrap_or(agents);
            match end {
                'c' => begun.after(CheckIn::Completed),
                'f' => begun.after(CheckIn::Failed),
                'x' => begun.after(CheckIn::Crashed),
                's' => begun.stopped().unwrap_or(begun),
                _ => begun,
            }
        })
    }

    #[test]
    fn cuts_by_table() {
        // The check-ins, then: who does the next, and whether version 2 is dropped as that begins.
        for (history, next, is_dropped) in [
            ("...", "1", false),
            // The version before is cut as well: so it is the power, for as long as it takes.
            ("......", "1", false),
            ("...f", "2", false),
            ("...c", "2", false),
            ("...x", "2", false),
            // Three innocent cuts, and the version completes its trial all the same.
            ("...cc", "2", false),
            ("...c.", "1", true),
            ("......f.", "1", true),
            // An end in order takes the count back.
            ("..f..", "2", false),
            ("..x..", "2", false),
            ("...cf...", "1", false),
            ("...cf...c.", "1", true),
            ("..s.", "1", false),
            ("..sss", "2", false),
            ("...cs", "2", false),
        ] {
            let end = play(history);
            let begun = end.before_check_in().unwrap_or(end);
            assert_eq!(begun.for_check_in().map(|v| v.version.as_str()), Some(next), "{history}");
            assert_eq!(begun.dropped.is_some(), is_dropped, "{history}");
        }
    }

    #[test]
    fn what_is_proven_is_not_counted() {
        assert_eq!(play("c").before_check_in(), None);
        assert_eq!(Agents::factory().before_check_in(), None);
        assert_eq!((play("..c").begun, play("..c").trial), (None, false));
    }
}
