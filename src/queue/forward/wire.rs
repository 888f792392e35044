//! What the server and the forwarding process tell each other: lines of words, percent-encoded. They are one program, and speak
//! through a pipe, so a line that makes no sense is dropped and logged, no more.

use std::time::Duration;

use crate::config::Cik;
use crate::format::form;
use crate::queue::identity::DeviceIdentity;
use crate::queue::store::reader::Extent;
use crate::queue::store::state::Boot;

/// A device and the CIK it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Its id in the store.
    pub id: u64,
    /// Who it is.
    pub identity: DeviceIdentity,
    /// `None`: it is to be activated first.
    pub cik: Option<Cik>,
}

/// One device's share of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Whose.
    pub who: Who,
    /// Its points from this sequence number
    pub from: u64,
    /// to this one. Where `from` is larger there are none, and the device is only to be activated.
    pub last: u64,
}

/// An errand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Write these values now.
    Write(Who, Vec<(String, String)>),
    /// Activate this device.
    Activate(Who),
    /// Ask the platform for the time.
    Time,
    /// Record what waits in the store.
    Batch(Batch),
}

/// What a batch is to carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Where to read.
    pub extent: Extent,
    /// Points in a request, at the most.
    pub quantity: usize,
    /// The devices.
    pub shares: Vec<Share>,
    /// When the boots were.
    pub boots: Vec<Boot>,
}

/// What the forwarding process says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CourierReport {
    /// The device of this id got a CIK.
    Activated(u64, Cik),
    /// The write is done.
    Written,
    /// The write is not done, for want of time alone.
    Late,
    /// The platform will never take the write; it is set aside. The reason.
    Refused(String),
    /// Of the device of this id, all points through this sequence number are gone: so many to the platform, so many aside.
    Gone {
        /// The device.
        id: u64,
        /// The last of them.
        through: u64,
        /// Recorded by the platform.
        forwarded: u32,
        /// Set aside.
        aside: u32,
    },
    /// The device's points were read to the end.
    End(u64),
    /// Nothing can be sent for this device now: the reason, and what the platform asks to wait.
    Held(u64, String, Option<Duration>),
    /// Nothing can be sent at all now.
    Link(String, Option<Duration>),
    /// The platform's time, if it tells one.
    Time(Option<u64>),
    /// Records lost to damage in a segment.
    Damaged(u32, u32),
}

impl Errand {
    /// The errand as text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = WireLines::default();
        match self {
            Errand::Write(who, values) => {
                out.line("write", &[&who_words(who)]);
                for (alias, value) in values {
                    out.line("value", &[&form::encode(alias), &form::encode(value)]);
                }
            }
            Errand::Activate(who) => out.line("activate", &[&who_words(who)]),
            Errand::Time => out.line("time", &[]),
            Errand::Batch(batch) => {
                let Extent { first, last, end, salt } = batch.extent;
                out.line("batch", &[&first, &last, &end, &salt, &batch.quantity]);
                for share in &batch.shares {
                    out.line("share", &[&share.from, &share.last, &who_words(&share.who)]);
                }
                for boot in &batch.boots {
                    let began = boot.began.map_or("-".to_string(), |began| began.to_string());
                    out.line("boot", &[&boot.tag, &boot.last, &began]);
                }
            }
        }
        out.0
    }

    /// Reads an errand; `None` where the text is none.
    #[must_use]
    pub fn decode(text: &str) -> Option<Errand> {
        let mut lines = text.lines();
        let mut words = lines.next()?.split(' ');
        match words.next()? {
            "write" => {
                let who = read_who(&mut words)?;
                let value = |line: &str| {
                    let mut words = line.strip_prefix("value ")?.split(' ').map(form::decode);
                    Some((words.next()?, words.next()?))
                };
                Some(Errand::Write(who, lines.map(value).collect::<Option<_>>()?))
            }
            "activate" => Some(Errand::Activate(read_who(&mut words)?)),
            "time" => Some(Errand::Time),
            "batch" => {
                let first = number(&mut words)?;
                let (last, end, salt) = (number(&mut words)?, number(&mut words)?, number(&mut words)?);
                let quantity = number(&mut words)?;
                let mut batch = Batch { extent: Extent { first, last, end, salt }, quantity, ..Batch::default() };
                for line in lines {
                    batch.add(line)?;
                }
                Some(Errand::Batch(batch))
            }
            _ => None,
        }
    }
}

impl Batch {
    fn add(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        match words.next()? {
            "share" => {
                let (from, last) = (number(&mut words)?, number(&mut words)?);
                self.shares.push(Share { who: read_who(&mut words)?, from, last });
            }
            "boot" => {
                let (tag, last) = (number(&mut words)?, number(&mut words)?);
                self.boots.push(Boot { tag, last, began: number(&mut words) });
            }
            _ => return None,
        }
        Some(())
    }
}

impl CourierReport {
    /// The report as one line, with its end.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = WireLines::default();
        let wait = |wait: &Option<Duration>| wait.map_or("-".to_string(), |wait| wait.as_secs().to_string());
        match self {
            CourierReport::Activated(id, cik) => out.line("activated", &[id, &cik.secret()]),
            CourierReport::Written => out.line("written", &[]),
            CourierReport::Late => out.line("late", &[]),
            CourierReport::Refused(why) => out.line("refused", &[&form::encode(why)]),
            CourierReport::Gone { id, through, forwarded, aside } => out.line("gone", &[id, through, forwarded, aside]),
            CourierReport::End(id) => out.line("end", &[id]),
            CourierReport::Held(id, why, after) => out.line("held", &[id, &form::encode(why), &wait(after)]),
            CourierReport::Link(why, after) => out.line("link", &[&form::encode(why), &wait(after)]),
            CourierReport::Time(unix) => out.line("time", &[&unix.map_or("-".to_string(), |unix| unix.to_string())]),
            CourierReport::Damaged(segment, lost) => out.line("damaged", &[segment, lost]),
        }
        out.0
    }

    /// Reads a line; `None` where it is no report.
    #[must_use]
    pub fn decode(line: &str) -> Option<CourierReport> {
        let mut words = line.split(' ');
        let words = &mut words;
        Some(match words.next()? {
            "activated" => CourierReport::Activated(number(words)?, Cik::parse(words.next()?)?),
            "written" => CourierReport::Written,
            "late" => CourierReport::Late,
            "refused" => CourierReport::Refused(form::decode(words.next()?)),
            "gone" => CourierReport::Gone {
                id: number(words)?,
                through: number(words)?,
                forwarded: number(words)?,
                aside: number(words)?,
            },
            "end" => CourierReport::End(number(words)?),
            "held" => {
                CourierReport::Held(number(words)?, form::decode(words.next()?), number(words).map(Duration::from_secs))
            }
            "link" => CourierReport::Link(form::decode(words.next()?), number(words).map(Duration::from_secs)),
            "time" => CourierReport::Time(number(words)),
            "damaged" => CourierReport::Damaged(number(words)?, number(words)?),
            _ => return None,
        })
    }
}

#[derive(Default)]
struct WireLines(String);

impl WireLines {
    fn line(&mut self, verb: &str, words: &[&dyn ToString]) {
        self.0.push_str(verb);
        for word in words {
            self.0.push(' ');
            self.0.push_str(&word.to_string());
        }
        self.0.push('\n');
    }
}

fn who_words(who: &Who) -> String {
    let cik = who.cik.as_ref().map_or("-", |cik| cik.secret());
    [who.id.to_string().as_str(), " ", cik, " ", &who.identity.encode()].concat()
}

fn read_who<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Who> {
    let id = number(words)?;
    let cik = words.next().and_then(Cik::parse);
    Some(Who { id, cik, identity: DeviceIdentity::decode(words)? })
}

fn number<'a, T: std::str::FromStr>(words: &mut impl Iterator<Item = &'a str>) -> Option<T> {
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::identity::Vms;

    fn who(cik: bool) -> Who {
        let identity = DeviceIdentity::Vms(Vms::new("p", "m%", "00:11").unwrap());
        Who { id: identity.id(), identity, cik: cik.then(|| Cik::parse(&"c".repeat(40)).unwrap()) }
    }

    #[test]
    fn jobs_come_back_as_they_went() {
        let extent = Extent { first: 1, last: 9, end: 4711, salt: u64::MAX };
        let boots = vec![Boot { tag: 1, began: None, last: -3 }, Boot { tag: 2, began: Some(-5), last: 3 }];
        let shares =
            vec![Share { who: who(true), from: 1, last: u64::MAX }, Share { who: who(false), from: 2, last: 1 }];
        for errand in [
            Errand::Write(who(true), vec![("a b".into(), "1 &\n%".into()), (String::new(), String::new())]),
            Errand::Write(who(false), vec![]),
            Errand::Activate(who(false)),
            Errand::Time,
            Errand::Batch(Batch { extent, quantity: 500, shares, boots }),
            Errand::Batch(Batch::default()),
        ] {
            assert_eq!(Errand::decode(&errand.encode()).as_ref(), Some(&errand), "{}", errand.encode());
        }
        for nonsense in ["", "write", "write x", "batch 1 2 3", "batch 1 2 3 4 5\nnonsense", "fetch 1"] {
            assert_eq!(Errand::decode(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn reports_come_back_as_they_went() {
        let wait = Some(Duration::from_secs(30));
        for report in [
            CourierReport::Activated(7, Cik::parse(&"A".repeat(40)).unwrap()),
            CourierReport::Written,
            CourierReport::Late,
            CourierReport::Refused("no such\nthing".into()),
            CourierReport::Gone { id: 1, through: 2, forwarded: 3, aside: 4 },
            CourierReport::End(5),
            CourierReport::Held(1, String::new(), None),
            CourierReport::Link("down".into(), wait),
            CourierReport::Time(Some(1)),
            CourierReport::Time(None),
            CourierReport::Damaged(3, 4),
        ] {
            let line = report.encode();
            assert_eq!(CourierReport::decode(line.strip_suffix('\n').unwrap()), Some(report), "{line}");
        }
        for nonsense in ["", "activated 1 short", "gone 1 2", "done"] {
            assert_eq!(CourierReport::decode(nonsense), None, "{nonsense}");
        }
    }
}
