//! What goes over a renewal beside the shared memory: events that wait, how each listener's conversation stands, what is being captured, and how programs
//! have answered their probes. One
//! file in memory under a fixed number, written just before the newer core is there, and read once by that. After a fault there is none.

use super::memory::{memory_file, Mapping};
use super::own::Core;
use super::system::{close, facts_of_open, move_to, write, SysResult, Path, EINVAL};
use super::wire::{record, records, FieldSink};
use super::{capture, listener, pool, probes};

/// Between the shared memory and the listening sockets.
const FD_KEPT: i32 = 5;
/// The last digit is the form's; another one is passed over.
pub const MAGIC: u32 = 0x4757_4b01;

/// `Item::kind`.
pub const EVENT: u32 = 1;
pub const LISTENER: u32 = 2;
pub const CAPTURE: u32 = 3;
pub const PROBE: u32 = 4;

record! {
    /// Whose it is, numbers of its kind, and bytes.
    Item {
        magic: u32,
        kind: u32,
        /// Of the group or the process.
        id: u32,
        numbers: [u8; 32],
        bytes: &'a [u8],
    }
}

impl Item<'_> {
    pub fn of<'a>(kind: u32, id: u32, numbers: [u32; 4], bytes: &'a [u8]) -> Item<'a> {
        let mut item = Item { magic: MAGIC, kind, id, bytes, ..Item::default() };
        for (place, number) in item.numbers.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        item
    }

    pub fn number(&self, index: usize) -> u32 {
        let four = self.numbers.get(4 * index..4 * index + 4).and_then(|four| four.try_into().ok());
        four.map_or(0, u32::from_le_bytes)
    }
}

/// The file, as something that records go to.
struct File(i32);

impl FieldSink for File {
    fn put(&mut self, bytes: &[u8]) -> bool {
        // In memory, so never in part, unless there is none left.
        write(self.0, bytes) == Ok(bytes.len())
    }
}

/// Writes it all down. Where that fails, the newer core begins without.
pub fn save(core: &Core) {
    if try_save(core).is_err() {
        forget();
    }
}

fn try_save(core: &Core) -> SysResult<()> {
    move_to(memory_file(Path::of(b"gwe-kept\0").ok_or(EINVAL)?)?, FD_KEPT)?;
    let mut file = File(FD_KEPT);
    let mut put = |item: Item<'_>| item.encode(&mut file);
    // First: what is asked is ended with it.
    let is_whole = probes::save(&mut put) && pool::save(core, &mut put) && listener::save(core, &mut put) && capture::save(core, &mut put);
    is_whole.then_some(()).ok_or(EINVAL)
}

/// The renewal did not come about, or has.
pub fn forget() {
    close(FD_KEPT);
}

/// Takes up what the core before left; its groups have their pools already.
pub fn restore(core: &mut Core) {
    let size = facts_of_open(FD_KEPT).map_or(0, |facts| facts.size as usize);
    if let Ok(view) = Mapping::view(FD_KEPT, size) {
        for item in records(view.bytes().get(..size).unwrap_or(&[]), Item::decode) {
            match item.kind {
                _ if item.magic != MAGIC => {}
                EVENT => pool::restore(core, &item),
                LISTENER => listener::restore(core, &item),
                CAPTURE => capture::restore(core, &item),
                PROBE => probes::restore(&item),
                _ => {}
            }
        }
        view.drop();
    }
    forget();
}
