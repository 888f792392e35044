//! The Device API: the client, the transport (the only use of minreq) and the account of every request (spec: device-api.md).
//!
//! ```no_run
//! use gwe::config::Cik;
//! use gwe::device::{Client, Settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Settings::new("https://PRODUCT_ID.m2.exosite.io", "my_app"))?;
//! let cik = Cik::parse("0123456789abcdef0123456789abcdef01234567").ok_or("no CIK")?;
//! client.write(&cik, &[("temperature", "21.5"), ("state", "on & well")])?;
//! for (alias, value) in client.read(&cik, &["setpoint"])? {
//!     println!("{alias} is {value}");
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod connect;
mod download;
mod error;
mod framing;
mod outcome;
mod proxy;
mod pump;
mod relay;
mod reply;
mod resolve;
mod roots;
mod settings;
mod transport;
mod url;
pub mod usage;
mod watchdog;

pub use client::{Client, Waited, MAX_WAIT};
pub use download::Sink;
pub use error::{DeviceError, TransportError};
pub use reply::ContentInfo;
pub use roots::restore_environment;
pub use settings::Settings;
