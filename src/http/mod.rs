//! What every source of orders needs of HTTP: one request, whole or an error, over a connection of our own (`transport.rs` is the
//! only use of minreq); downloads that go on where they broke off; and the account of every request. Knows no platform.

mod account;
mod answer;
mod connect;
mod download;
mod error;
mod framing;
mod link;
pub mod month;
mod outcome;
mod pace;
mod proxy;
mod pump;
mod received;
mod relay;
mod reply;
mod resolve;
mod roots;
mod route;
mod settings;
mod tls;
mod transport;
mod url;
pub mod usage;
mod watchdog;
mod wire;

pub(crate) use answer::{ask, Answer};
pub(crate) use download::download;
pub use download::Sink;
pub use error::TransportError;
pub(crate) use reply::{excerpt, is_page, number};
pub use route::Route;
pub use settings::Settings;
pub(crate) use transport::{HttpRequest, Method, Transport};
pub(crate) use watchdog::TimeLimits;
