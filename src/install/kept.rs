//! What the journal keeps beside its jobs: the numbered orders, and how a job waits.

use miniserde::{Deserialize, Serialize};

/// An order that is not yet known to have ended by who gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// Which kind of backend gave it.
    pub origin: String,
    /// Its number there.
    pub id: String,
    /// 0: to its end; 1: downloaded for now; 2: downloaded, and that is all.
    pub until: u32,
    /// What was told of its progress: a sum of [`Progress`](crate::orders::Progress).
    pub told: u32,
    /// Why it is no order.
    pub fault: Option<String>,
    /// The logs that it asked for, as they were when it was taken. An older agent's journal lacks it.
    pub logs: Option<String>,
}

/// How a job waits. All is optional, so that agents before and after read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// When it is installed, by the order; `None`: as the gateway is set.
    pub apply: Option<String>,
    /// What it waits for.
    pub reason: Option<String>,
    /// The boot in which it came.
    pub boot: Option<String>,
    /// Whether somebody at the gateway has said that it be installed.
    pub by_hand: Option<bool>,
    /// What was told: a bit for each thing that can be waited for.
    pub told: Option<u32>,
    /// The SHA-256 of what is kept.
    pub sha256: Option<String>,
    /// The text of its signature, as it came with it.
    pub signature: Option<String>,
    /// How long its app has held it off.
    pub held: Option<HeldTime>,
}

/// How long a job was held off so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldTime {
    /// The boot that counts at present.
    pub boot: String,
    /// Its time, in seconds, up to which is counted.
    pub until: u64,
    /// Seconds that are counted.
    pub spent: u64,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// The window of the day.
    Window,
    /// The next boot.
    Reboot,
    /// Somebody's word.
    Consent,
    /// The app, which holds it off.
    Hold,
    /// A link over which it may be downloaded.
    Link,
    /// A month in which its download fits.
    Month,
    /// The next check-in: the download is held to a rate, and lets others come between.
    Rate,
}

impl For {
    pub(super) const ALL: [For; 7] =
        [For::Window, For::Reboot, For::Consent, For::Hold, For::Link, For::Month, For::Rate];

    pub(super) fn word(self) -> &'static str {
        match self {
            For::Window => "window",
            For::Reboot => "reboot",
            For::Consent => "consent",
            For::Hold => "hold",
            For::Link => "link",
            For::Month => "month",
            For::Rate => "rate",
        }
    }
}
