//! Where orders come from, as the engine and the install transaction see it: a source of orders ([`Backend`]) on one side, the gateway's
//! books ([`Ledger`]) on the other. No protocol is known here.
//!
//! Invariant: a backend acknowledges an order only after the ledger has taken it, and the ledger drops an end only after the backend
//! has said that it arrived.

pub mod logs;
pub mod number;
pub mod request;

use std::fmt;

use miniserde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::http::{Route, Sink};
use crate::sys::file::FileError;
use logs::Wish;
use request::Entry;

/// A source of orders. One gives orders at a time.
pub trait Backend {
    /// Tells the state of the gateway and what has ended since, and has the ledger take what is ordered now.
    ///
    /// # Errors
    /// The server did not do its part, or the disk did not.
    fn check_in(&self, ledger: &mut dyn Ledger) -> Result<(), Failed>;

    /// Tells how far an order has come. A courtesy: where it does not arrive, the end will.
    fn progress(&self, order: &str, progress: Progress);

    /// Tells the ends that there are, until they are acknowledged.
    ///
    /// # Errors
    /// They were not; the ledger keeps them.
    fn tell_ends(&self, ledger: &mut dyn Ledger) -> Result<(), Failed>;

    /// Tells who gave an order a line on it. A courtesy: where it does not arrive, the end will.
    fn remark(&self, _order: &str, _line: &str) {}

    /// The way that a download of a piece would go, as far as that is known without asking for it.
    fn route(&self, piece: &Piece<'_>) -> Option<Route>;

    /// What a piece of content is now.
    ///
    /// # Errors
    /// The server does not say.
    fn content(&self, piece: &Piece<'_>) -> Result<Content, Failed>;

    /// Downloads a piece from byte `from` on.
    ///
    /// # Errors
    /// It did not come whole. What the sink has got is good.
    fn download(&self, piece: &Piece<'_>, from: u64, sink: &mut dyn Sink) -> Result<(), Failed>;

    /// Downloads the signature of that name beside a piece; `Ok(false)` where there is none.
    ///
    /// # Errors
    /// The server was not reached, or refuses.
    fn signature(&self, piece: &Piece<'_>, name: &str, sink: &mut dyn Sink) -> Result<bool, Failed>;
}

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its download begins.
    Downloading = 1,
    /// It begins to change the gateway.
    Proceeding = 2,
    /// All of it is here and believed; installing has to wait.
    Downloaded = 4,
}

/// The gateway's books, which a backend reads and writes. What a method that may fail has changed is durable when it returns.
pub trait Ledger {
    /// The reports, as JSON: `device_info`, `engine_report`, `usage_report`.
    fn reports(&self) -> [String; 3];
    /// What the gateway is, in names and values that change rarely.
    fn attributes(&self) -> Vec<(String, String)>;
    /// Whether this backend may give orders, or is only told the rest of what it ordered before another came in its place.
    fn takes_orders(&self) -> bool;

    /// The report of all that texts have ordered, once all of it has ended.
    fn report(&self) -> Option<String>;
    /// That report has arrived.
    ///
    /// # Errors
    /// The disk did not take it.
    fn reported(&mut self) -> Result<(), Failed>;
    /// That report is not taken as it is.
    ///
    /// # Errors
    /// The disk did not take it.
    fn shorten_report(&mut self) -> Result<(), Failed>;
    /// Takes an order as text; the same text until [`Ledger::text_cleared`] is the same order.
    ///
    /// # Errors
    /// The disk did not take it.
    fn take_text(&mut self, text: &str) -> Result<(), Failed>;
    /// The text does not stand at the server any more.
    ///
    /// # Errors
    /// The disk did not take it.
    fn text_cleared(&mut self) -> Result<(), Failed>;

    /// The text still stands at the server, which does not let it be cleared. `Ok`: what it orders is done all the same.
    ///
    /// # Errors
    /// It is tried again first; or the disk did not take that.
    fn text_not_cleared(&mut self, failed: Failed) -> Result<(), Failed>;

    /// Adds a line to the next report.
    ///
    /// # Errors
    /// The disk did not take it.
    fn remark(&mut self, line: &str) -> Result<(), Failed>;

    /// Where the numbered orders of this backend stand.
    fn orders(&self) -> Vec<Standing>;
    /// Takes a numbered order, or what has changed about one that is open.
    ///
    /// # Errors
    /// The disk did not take it.
    fn take(&mut self, order: Order) -> Result<(), Failed>;
    /// Drops an order of which nothing was begun; `false` where something was.
    ///
    /// # Errors
    /// The disk did not take it.
    fn cancel(&mut self, id: &str) -> Result<bool, Failed>;
    /// Notes that the server knows that an order's download is complete.
    ///
    /// # Errors
    /// The disk did not take it.
    fn told_downloaded(&mut self, id: &str) -> Result<(), Failed>;
    /// The server knows an order's end.
    ///
    /// # Errors
    /// The disk did not take it.
    fn end_is_known(&mut self, id: &str) -> Result<(), Failed>;
}

/// An order that has a number of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The server's number for it.
    pub id: String,
    /// What is to be installed, in this order; or why the order cannot be understood.
    pub parts: Result<Vec<Part>, String>,
    /// What may be done now.
    pub until: Until,
    /// The logs that it asks for; then it has no parts.
    pub logs: Vec<Wish>,
}

/// How far an order may go for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To its end.
    Installed,
    /// Downloaded; installing comes when the order changes.
    DownloadedForNow,
    /// Downloaded, and that is its end.
    Downloaded,
}

/// One app of a numbered order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, size and hash.
    pub entry: Entry,
    /// Where it is.
    pub link: ContentLink,
    /// The deltas that lie beside it, by whatever names.
    pub beside: Vec<Beside>,
    /// Whether it is no tarball: the app of that name is to be taken away.
    pub remove: bool,
}

/// A delta that lies beside a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// The file's name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in hex.
    pub sha256: Option<String>,
    /// Where it is.
    pub link: ContentLink,
}

/// Where a part is, and by which hashes it is known beside SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentLink {
    /// The file itself.
    pub href: String,
    /// Its signature, where there is one beside it.
    pub signature: Option<String>,
    /// Hex; where there is no SHA-256.
    pub sha1: Option<String>,
    /// Hex; where there is nothing better.
    pub md5: Option<String>,
}

/// Where a numbered order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The server's number for it.
    pub id: String,
    /// How far it may go.
    pub until: Until,
    /// How far it has come.
    pub stage: Stage,
}

/// How far an order has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is something to do.
    Open,
    /// All is downloaded that can be; whether the server knows.
    Downloaded(bool),
    /// It has ended.
    Ended(End),
}

/// An order's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Whether all of it is as ordered.
    pub success: bool,
    /// 0, or the number of the first failure's kind: see the install transaction.
    pub code: u32,
    /// The verdicts, then what is known beside them; one line each.
    pub lines: Vec<String>,
    /// The logs that were asked for, as lines, the newest of each last.
    pub logs: Option<String>,
}

/// A piece of content that an order names.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The tarball's name.
    pub name: &'a str,
    /// Its size as ordered.
    pub size: Option<u64>,
    /// Its SHA-256 as ordered.
    pub sha256: Option<&'a str>,
    /// Where it is, where the order says so.
    pub link: Option<&'a ContentLink>,
}

/// What a piece of content stood for at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Bytes.
    pub size: u64,
    /// Upload time in unix seconds, or another number that is another for other bytes.
    pub time: u64,
}

/// Why a backend did not do what it was to do.
#[derive(Debug)]
pub struct Failed {
    /// As a sentence.
    pub why: String,
    /// What it means for the next try.
    pub kind: Kind,
}

/// What a failure means for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The same again would fail again.
    Permanent,
    /// The server refuses; that may change, and is final after a few check-ins.
    Refused,
    /// Time may mend it.
    Passing,
}

impl Failed {
    /// A failure that time may mend.
    pub fn passing(why: impl fmt::Display) -> Failed {
        Failed { why: why.to_string(), kind: Kind::Passing }
    }

    /// A failure that the same again would bring again.
    pub fn permanent(why: impl fmt::Display) -> Failed {
        Failed { why: why.to_string(), kind: Kind::Permanent }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Failed {}

impl From<FileError> for Failed {
    fn from(e: FileError) -> Failed {
        Failed::passing(e)
    }
}

impl From<ConfigError> for Failed {
    fn from(e: ConfigError) -> Failed {
        Failed::passing(e)
    }
}
