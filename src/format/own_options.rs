//! Options of a program's section that are our own: their names, their bounds and how a list of programs is read. What hosts programs and what checks
//! an app's file go by the same.

/// Programs that its start waits for.
pub const AFTER: &str = "after";
/// For how long, in seconds; and where nothing is said.
pub const AFTER_TIMEOUT: Bounds = Bounds { key: "after_timeout", least: 0, most: 600, default: 60 };
/// So many programs one may wait for.
pub const MAX_AFTER: usize = 32;

/// A command that says by its exit status 0 that the program works.
pub const PROBE: &str = "probe";
/// It may take so many seconds.
pub const PROBE_TIMEOUT: Bounds = Bounds { key: "probe_timeout", least: 1, most: 300, default: 10 };
/// It is run so often, in seconds, while the program is up; 0: only while a new version settles.
pub const PROBE_INTERVAL: Bounds = Bounds { key: "probe_interval", least: 0, most: 86_400, default: 0 };
/// So many misses in a row are a fault of the program.
pub const PROBE_RETRIES: Bounds = Bounds { key: "probe_retries", least: 1, most: 100, default: 3 };

/// A number with its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The option's name.
    pub key: &'static str,
    /// The smallest that is taken.
    pub least: i64,
    /// The largest.
    pub most: i64,
    /// Where nothing is said.
    pub default: i64,
}

impl Bounds {
    /// Whether the number is within.
    #[must_use]
    pub fn hold(&self, number: i64) -> bool {
        (self.least..=self.most).contains(&number)
    }

    /// The number that an option says; the default where it says nothing, or nothing that is within.
    #[must_use]
    pub fn of(&self, said: Option<String>) -> i64 {
        let number = said.and_then(|text| text.trim().parse().ok());
        number.filter(|number| self.hold(*number)).unwrap_or(self.default)
    }
}

/// The names in a list of programs, between blanks or commas, each once.
#[must_use]
pub fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for name in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_and_a_number_within_its_bounds() {
        assert_eq!(names(" b,a\n\tc , a,,"), ["b", "a", "c"]);
        assert!(names(" ,\n").is_empty());
        assert_eq!((AFTER_TIMEOUT.of(None), AFTER_TIMEOUT.of(Some("soon".to_string()))), (60, 60));
        for (number, good) in [(-1, false), (0, true), (600, true), (601, false), (i64::MIN, false)] {
            assert_eq!(AFTER_TIMEOUT.hold(number), good, "{number}");
            assert_eq!(AFTER_TIMEOUT.of(Some(format!(" {number} "))), if good { number } else { 60 });
        }
    }
}
