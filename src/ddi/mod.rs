//! hawkBit's Direct Device Integration API as a source of orders: one poll where nothing is to be done; what it links to is followed, taken
//! and told the end of ([docs/hawkbit.md](../../docs/hawkbit.md); the numbers in comments are threads of hawkBit's and its devices').

mod address;
mod clean;
mod client;
mod interval;
mod logs;
mod orders;
mod sleep;
mod wire;

pub use orders::HawkBit;
pub use sleep::parse as parse_sleep;
