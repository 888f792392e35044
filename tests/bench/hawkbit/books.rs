//! A simulated gateway's books: what it is, and the order that it works on. They live as long as a check-in; that an order was had is a file.

use gwe::ddi::HawkBit;
use gwe::http::Sink;
use gwe::orders::{Backend, End, Failed, Ledger, Order, Piece, Progress, Stage, Standing};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub struct Books {
    /// There once an order has ended: its number.
    had: PathBuf,
    open: Option<Order>,
    ended: Option<Standing>,
    told: bool,
}

impl Books {
    pub fn of(root: &Path) -> Books {
        Books { had: root.join("had"), open: None, ended: None, told: false }
    }

    /// What the install transaction asks of hawkBit on its way through an order: progress, downloads, progress, the end.
    pub fn work(&mut self, source: &HawkBit) -> Result<(), Failed> {
        let Some(order) = self.open.take() else { return Ok(()) };
        source.progress(&order.id, Progress::Downloading);
        for part in order.parts.clone().unwrap_or_default() {
            let entry = &part.entry;
            let piece =
                Piece { name: &entry.name, size: entry.size, sha256: entry.sha256.as_deref(), link: Some(&part.link) };
            source.download(&piece, 0, &mut Nowhere)?;
        }
        source.progress(&order.id, Progress::Proceeding);
        let end =
            End { success: true, code: 0, lines: vec!["[gwe] installed load v1 in 1.0 s".to_string()], logs: None };
        self.ended = Some(Standing { id: order.id, until: order.until, stage: Stage::Ended(end) });
        source.tell_ends(self)
    }

    /// Whether an order was had, and the check-in after it is made.
    pub fn is_through(&self) -> bool {
        !self.told && self.had.exists()
    }
}

impl Ledger for Books {
    fn reports(&self) -> [String; 3] {
        Default::default()
    }

    /// As many as a gateway with three apps has.
    fn attributes(&self) -> Vec<(String, String)> {
        let load = if self.had.exists() { "2" } else { "1" };
        [
            ("gwe", "0.1.0"),
            ("product", "load"),
            ("hw_boardname", "load"),
            ("sw_version", load),
            ("os", "Linux"),
            ("os_version", "12"),
            ("kernel", "6.1.0"),
            ("arch", "armv7l"),
            ("app.load", load),
            ("app.one", "1.2.3"),
            ("app.two", "4.5.6"),
        ]
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .to_vec()
    }

    fn takes_orders(&self) -> bool {
        true
    }

    fn report(&self) -> Option<String> {
        None
    }

    fn reported(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn shorten_report(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn take_text(&mut self, _text: &str) -> Result<(), Failed> {
        Ok(())
    }

    fn text_cleared(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn text_not_cleared(&mut self, _failed: Failed) -> Result<(), Failed> {
        Ok(())
    }

    fn remark(&mut self, _line: &str) -> Result<(), Failed> {
        Ok(())
    }

    fn orders(&self) -> Vec<Standing> {
        self.ended.iter().cloned().collect()
    }

    fn take(&mut self, order: Order) -> Result<(), Failed> {
        self.open = Some(order);
        Ok(())
    }

    fn cancel(&mut self, _id: &str) -> Result<bool, Failed> {
        Ok(true)
    }

    fn told_downloaded(&mut self, _id: &str) -> Result<(), Failed> {
        Ok(())
    }

    fn end_is_known(&mut self, id: &str) -> Result<(), Failed> {
        self.ended = None;
        self.told = true;
        fs::write(&self.had, id).map_err(Failed::passing)
    }
}

/// Where the downloads of a simulated gateway go.
struct Nowhere;

impl Sink for Nowhere {
    fn start(&mut self, _offset: u64, _total: Option<u64>) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
}
