//! Exosite's Device API: the client (docs/spec/device-api.md). What it needs of HTTP is in [`http`](crate::http).
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

pub mod call;
mod client;
mod cloud;
mod error;
mod evidence;
mod orders;
mod reply;

pub use crate::http::{Settings, Sink};
pub use client::{Client, Waited, MAX_WAIT};
pub use error::DeviceError;
pub use orders::{DeviceApi, ORDERS};
pub use reply::ContentInfo;
