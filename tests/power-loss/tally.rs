//! Counts findings, and prints them as rows of a table.

use super::workload::{Expected, Finding};
use std::time::Duration;

/// What a workload's crash states have shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub states: u64,
    pub lost: u64,
    pub third: u64,
    pub mount: u64,
    pub start: u64,
}

impl Tally {
    /// Counts one state.
    pub fn count(&mut self, finding: &Finding) {
        self.states += 1;
        match finding {
            Finding::Sound => {}
            Finding::Lost(_) => self.lost += 1,
            Finding::Third(_) => self.third += 1,
            Finding::MountFailed(_) => self.mount += 1,
            Finding::DoesNotStart(_) => self.start += 1,
        }
    }

    /// Why this is not what was expected; `None` where it is.
    pub fn fault(&self, expected: Expected) -> Option<&'static str> {
        let Tally { states, lost, third, mount, start } = *self;
        if states == 0 {
            return Some("no crash state was checked");
        }
        match expected {
            Expected::Nothing if lost + third + mount + start > 0 => Some("a power cut does harm"),
            Expected::Losses if lost == 0 => Some("the detector is broken: it finds no loss where there must be some"),
            Expected::ThirdStates if third == 0 => {
                Some("the detector is broken: it finds no third state where there must be some")
            }
            Expected::Losses | Expected::ThirdStates if mount > 0 => Some("a state cannot be mounted"),
            _ => None,
        }
    }

    /// The table's head.
    pub fn head() -> String {
        row("workload", &["states", "lost", "third", "mount", "start", "requests", "s"].map(str::to_string))
    }

    /// A row of the table.
    pub fn row(&self, name: &str, requests: usize, took: Duration) -> String {
        let Tally { states, lost, third, mount, start } = *self;
        let counts = [states, lost, third, mount, start, requests as u64, took.as_secs()];
        row(name, &counts.map(|count| count.to_string()))
    }
}

fn row(name: &str, cells: &[String]) -> String {
    let mut line = format!("{name:<22}");
    for cell in cells {
        line.push_str(&format!(" {cell:>8}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Expected, Finding, Tally};

    #[test]
    fn each_expectation_by_table() {
        let tally = |findings: &[Finding]| {
            let mut tally = Tally::default();
            findings.iter().for_each(|finding| tally.count(finding));
            tally
        };
        let [lost, third, mount, start] =
            [Finding::Lost, Finding::Third, Finding::MountFailed, Finding::DoesNotStart].map(|kind| kind("x".into()));
        let sound = Finding::Sound;
        use Expected::{Losses, Nothing, ThirdStates};
        let rows: [(Vec<Finding>, Expected, bool); 10] = [
            (vec![], Nothing, false),
            (vec![sound.clone()], Nothing, true),
            (vec![sound.clone(), lost.clone()], Nothing, false),
            (vec![third.clone()], Nothing, false),
            (vec![mount.clone()], Nothing, false),
            (vec![start], Nothing, false),
            (vec![sound.clone()], Losses, false),
            (vec![lost.clone(), third.clone()], Losses, true),
            (vec![lost.clone(), mount], Losses, false),
            (vec![lost, sound], ThirdStates, false),
        ];
        for (findings, expected, good) in rows {
            let fault = tally(&findings).fault(expected);
            assert_eq!(fault.is_none(), good, "{findings:?} {expected:?}: {fault:?}");
        }
        assert_eq!(tally(&[third]).fault(ThirdStates), None);
    }
}
