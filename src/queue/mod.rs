//! gmq, the store-and-forward queue on localhost (spec: gmq.md).

pub mod ask;
pub mod backoff;
pub mod forward;
pub mod http;
pub mod identities;
pub mod identity;
pub mod point;
pub mod server;
pub mod service;
pub mod set_aside;
pub mod settings;
pub mod stamp;
pub mod store;
