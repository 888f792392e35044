//! When what is here is installed: at once, in a window of the day, at the next boot, or when somebody at the gateway says so.

use super::Config;

/// When an install may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apply {
    /// As soon as it is here.
    Now,
    /// In the window of the day.
    Window,
    /// At the next boot.
    Reboot,
    /// By `gwe --install-now`.
    Consent,
}

impl Apply {
    /// By its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Apply> {
        match word {
            "now" => Some(Apply::Now),
            "window" => Some(Apply::Window),
            "reboot" => Some(Apply::Reboot),
            "consent" => Some(Apply::Consent),
            _ => None,
        }
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Apply::Now => "now",
            Apply::Window => "window",
            Apply::Reboot => "reboot",
            Apply::Consent => "consent",
        }
    }
}

/// Seconds of a day.
pub const DAY: u32 = 86_400;

/// A part of every day, in seconds of local time; one that ends before it begins goes over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    from: u32,
    to: u32,
}

impl Window {
    /// By its text, such as `02:00-04:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Window> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (time_of_day(from)?, time_of_day(to)?);
        (from % DAY != to % DAY && from < DAY).then_some(Window { from, to })
    }

    /// How long it is, in seconds.
    #[must_use]
    pub fn length(self) -> u32 {
        (self.to + DAY - self.from) % DAY
    }

    /// Whether a time of the day lies in it.
    #[must_use]
    pub fn has(self, time: u32) -> bool {
        (time + DAY - self.from) % DAY < self.length()
    }

    /// From a time of the day to its next beginning, in seconds.
    #[must_use]
    pub fn begins_in(self, time: u32) -> u32 {
        (self.from + DAY - time % DAY) % DAY
    }
}

/// `HH:MM` in seconds; midnight may be 24:00.
fn time_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number =
        |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?;
    let (hours, minutes): (u32, u32) = (number(hours)?, number(minutes)?);
    let seconds = hours * 3600 + minutes * 60;
    (minutes < 60 && seconds <= DAY).then_some(seconds)
}

impl Config {
    /// When an install begins whose order does not say.
    #[must_use]
    pub fn apply(&self) -> Apply {
        Apply::parse(self.engine.get("apply")).unwrap_or(Apply::Now)
    }

    /// How long an app may hold an install off, in seconds.
    #[must_use]
    pub fn max_hold(&self) -> u64 {
        self.seconds("max_hold").as_secs()
    }

    /// The window of the day, and its text.
    #[must_use]
    pub fn window(&self) -> (Option<Window>, &str) {
        let text = self.engine.get("window");
        (Window::parse(text), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_part_of_the_day_and_may_go_over_midnight() {
        let hour = 3600;
        for (text, inside, outside, length) in [
            ("02:00-04:00", [2 * hour, 4 * hour - 1], [2 * hour - 1, 4 * hour], 2 * hour),
            ("22:30-01:00", [22 * hour + 1800, hour - 1], [22 * hour, hour], 9000),
            ("23:00-24:00", [23 * hour, DAY - 1], [0, 22 * hour], hour),
            (" 00:00 - 00:01 ", [0, 59], [60, DAY - 1], 60),
        ] {
            let window = Window::parse(text).unwrap();
            assert_eq!(window.length(), length, "{text}");
            assert!(inside.iter().all(|time| window.has(*time)), "{text}");
            assert!(outside.iter().all(|time| !window.has(*time)), "{text}");
        }
        // All of the day is no window: that is "now".
        for bad in [
            "",
            "02:00",
            "2-4",
            "02:00-02:00",
            "00:00-24:00",
            "25:00-26:00",
            "02:60-03:00",
            "24:00-01:00",
            "+2:00-03:00",
            "a-b",
        ] {
            assert_eq!(Window::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn its_next_beginning_is_within_a_day() {
        let window = Window::parse("02:00-04:00").unwrap();
        for (time, left) in [(0, 7200), (7200, 0), (7201, DAY - 1), (DAY - 1, 7201)] {
            assert_eq!(window.begins_in(time), left, "{time}");
        }
    }
}
