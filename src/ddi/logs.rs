//! An order that asks for logs: its only file is named `logs.json`, and is read as soon as the order is seen.

use std::io;

use super::client::Controller;
use crate::format::hex;
use crate::http::Sink;
use crate::orders::logs::{self, Wish, FILE_NAME, MAX_FILE};
use crate::orders::{Failed, Kind, Ledger, Order, Part};

const TOO_LARGE: &str = "it is larger than 16 KiB";

/// The order, with what its file asks for in the place of the file. One whose file is no good has no parts, and says why.
///
/// # Errors
/// The file did not come, which time may mend.
pub fn understood(client: &Controller, mut order: Order, ledger: &dyn Ledger) -> Result<Order, Failed> {
    let Ok([part]) = order.parts.as_deref() else { return Ok(order) };
    // What is known already is not read again: its answer stands in the books.
    if part.remove || part.entry.name != FILE_NAME || ledger.orders().iter().any(|known| known.id == order.id) {
        return Ok(order);
    }
    let wishes = match wishes(client, part) {
        Err(e) if e.kind == Kind::Passing => return Err(e),
        wishes => wishes,
    };
    let fault = match wishes {
        Ok(wishes) => {
            order.logs = wishes;
            None
        }
        Err(e) => Some([FILE_NAME, ": ", &e.why].concat()),
    };
    order.parts = fault.map_or(Ok(Vec::new()), Err);
    Ok(order)
}

fn wishes(client: &Controller, part: &Part) -> Result<Vec<Wish>, Failed> {
    if part.entry.size.map_or(true, |size| size > MAX_FILE) {
        return Err(Failed::permanent(TOO_LARGE));
    }
    let Some(sha256) = &part.entry.sha256 else { return Err(Failed::permanent("it has no SHA-256")) };
    let mut file = Bounded(Vec::new());
    client.download(&part.link.href, 0, &mut file)?;
    if !hex::encode(&crate::sys::sha256::Hash::of(&file.0)).eq_ignore_ascii_case(sha256) {
        return Err(Failed::permanent("its SHA-256 is another"));
    }
    logs::parse(&file.0).map_err(Failed::permanent)
}

/// A file in memory.
struct Bounded(Vec<u8>);

impl Sink for Bounded {
    fn start(&mut self, _offset: u64, _total: Option<u64>) -> io::Result<()> {
        self.0.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if (self.0.len() + bytes.len()) as u64 > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, TOO_LARGE));
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
