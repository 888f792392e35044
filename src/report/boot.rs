//! Why the machine booted, told by what the boot before left, and how often each has been so.
//!
//! Invariants: an end counts as orderly only where the agent was told to stop and the next that is seen is another boot; what nothing is
//! known of is `unknown`, never a power loss.

use miniserde::{Deserialize, Serialize};

use crate::format::json::Json;

/// The agent was told to stop, as it is when the machine is shut down.
pub const ORDERLY: &str = "orderly";
/// Nobody was told.
pub const LOST: &str = "power loss or crash";
/// Nobody was told, and the watchdog says that it was its doing.
pub const WATCHDOG: &str = "watchdog";
/// The state folder was emptied on somebody's order; counting begins anew.
pub const FACTORY_RESET: &str = "factory reset";
/// The first boot that is known of.
pub const UNKNOWN: &str = "unknown";

/// What is known of the machine's boots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boots {
    /// The kernel's id of the boot that was counted last.
    pub boot: String,
    /// Whether the agent was told to stop since then, and has not begun again.
    pub ended: bool,
    /// Why that boot came: one of the five.
    pub why: String,
    /// Since when is counted, unix seconds; `None` where the clock could not be right yet.
    pub since: Option<u64>,
    /// How often it was each.
    pub orderly: u32,
    /// See [`LOST`].
    pub lost: u32,
    /// See [`WATCHDOG`].
    pub watchdog: u32,
    /// See [`FACTORY_RESET`].
    pub factory_reset: u32,
    /// See [`UNKNOWN`].
    pub unknown: u32,
}

/// What the machine says about its last boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// A factory reset left its note.
    pub reset: bool,
    /// The watchdog's driver says that it reset the machine.
    pub watchdog: bool,
}

/// What is known in the boot `boot`, at `time`, after what was known before.
#[must_use]
pub fn counted(known: Option<Boots>, boot: &str, evidence: Evidence, time: Option<u64>) -> Boots {
    let known = known.filter(|known| [ORDERLY, LOST, WATCHDOG, FACTORY_RESET, UNKNOWN].contains(&&*known.why));
    let why = match &known {
        Some(known) if known.boot == boot => return known.clone(),
        // Many a machine reboots by its watchdog, and says so after an orderly end, too.
        Some(known) if known.ended => ORDERLY,
        Some(_) if evidence.watchdog => WATCHDOG,
        Some(_) => LOST,
        None if evidence.reset => FACTORY_RESET,
        None => UNKNOWN,
    };
    let mut now = known.unwrap_or_else(Boots::none);
    let counter = match why {
        ORDERLY => &mut now.orderly,
        LOST => &mut now.lost,
        WATCHDOG => &mut now.watchdog,
        FACTORY_RESET => &mut now.factory_reset,
        _ => &mut now.unknown,
    };
    *counter = counter.saturating_add(1);
    Boots { boot: boot.to_string(), ended: false, why: why.to_string(), since: now.since.or(time), ..now }
}

/// Whether a driver's `bootstatus` says that the watchdog reset the machine (WDIOF_CARDRESET).
#[must_use]
pub fn is_watchdogs(bootstatus: &str) -> bool {
    const CARD_RESET: u32 = 0x20;
    let text = bootstatus.trim();
    let number = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.is_ok_and(|bits| bits & CARD_RESET != 0)
}

impl Boots {
    fn none() -> Boots {
        let (boot, why) = (String::new(), String::new());
        Boots { boot, ended: false, why, since: None, orderly: 0, lost: 0, watchdog: 0, factory_reset: 0, unknown: 0 }
    }

    /// The value of `boot` in `device_info`.
    pub(super) fn write(&self, json: &mut Json) {
        json.begin_object();
        json.key("why");
        json.string(&self.why);
        for (name, count) in [
            ("orderly", self.orderly),
            ("power_loss_or_crash", self.lost),
            ("watchdog", self.watchdog),
            ("factory_reset", self.factory_reset),
            ("unknown", self.unknown),
        ] {
            json.key(name);
            json.unsigned(count.into());
        }
        if let Some(since) = self.since {
            json.key("since");
            json.unsigned(since);
        }
        json.end_object();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lives of a gateway (docs/spec/failures.md, F6): each boot's name, whether it ended in order, and what the machine says.
    #[test]
    fn each_boot_is_told_by_what_the_one_before_left() {
        let (silent, dog) = (Evidence::default(), Evidence { watchdog: true, reset: false });
        let reset = Evidence { reset: true, watchdog: false };
        for (what, boots, want, counts) in [
            ("the first that is known", vec![("a", true, silent)], UNKNOWN, [0, 0, 0, 0, 1]),
            ("the first, after the watchdog's", vec![("a", true, dog)], UNKNOWN, [0, 0, 0, 0, 1]),
            ("a reboot in order", vec![("a", true, silent), ("b", true, silent)], ORDERLY, [1, 0, 0, 0, 1]),
            ("in order, by the watchdog", vec![("a", true, silent), ("b", true, dog)], ORDERLY, [1, 0, 0, 0, 1]),
            ("a power cut", vec![("a", false, silent), ("b", true, silent)], LOST, [0, 1, 0, 0, 1]),
            ("a machine that hung", vec![("a", false, silent), ("b", true, dog)], WATCHDOG, [0, 0, 1, 0, 1]),
            ("the agent restarted", vec![("a", true, silent), ("a", false, silent)], UNKNOWN, [0, 0, 0, 0, 1]),
            ("a factory reset", vec![("a", true, reset)], FACTORY_RESET, [0, 0, 0, 1, 0]),
            (
                "two cuts after a reset whose note is still there",
                vec![("a", false, reset), ("b", false, reset), ("c", true, silent)],
                LOST,
                [0, 2, 0, 1, 0],
            ),
        ] {
            let mut known: Option<Boots> = None;
            for (boot, ended, evidence) in boots {
                let began = counted(known.take(), boot, evidence, Some(7));
                known = Some(Boots { ended, ..began });
            }
            let known = known.unwrap();
            assert_eq!((&*known.why, known.since), (want, Some(7)), "{what}");
            let found = [known.orderly, known.lost, known.watchdog, known.factory_reset, known.unknown];
            assert_eq!(found, counts, "{what}");
        }
        // A restart in one boot, and then a power cut: the note of the stop does not count any more once the agent is up again.
        let first = counted(None, "a", silent, None);
        let restarted = Boots { ended: false, ..counted(Some(Boots { ended: true, ..first }), "a", silent, None) };
        let next = counted(Some(restarted), "b", silent, Some(9));
        assert_eq!((&*next.why, next.since), (LOST, Some(9)));
        let full = counted(Some(Boots { lost: u32::MAX, ..next.clone() }), "c", silent, None);
        assert_eq!(full.lost, u32::MAX);
        let foreign = counted(Some(Boots { why: "x".repeat(900), ..next }), "c", silent, None);
        assert_eq!(foreign, counted(None, "c", silent, None), "what nobody wrote is not told");
    }

    #[test]
    fn the_watchdog_s_word_is_one_bit() {
        for (text, want) in [
            ("32\n", true),
            ("33", true),
            ("0x20\n", true),
            ("0\n", false),
            ("1", false),
            ("", false),
            ("-1", false),
            ("yes", false),
        ] {
            assert_eq!(is_watchdogs(text), want, "{text}");
        }
    }
}
