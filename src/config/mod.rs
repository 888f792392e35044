//! Settings and identity: Gateway.cfg, Engine.config, and every path the program touches.

pub mod cik;
pub mod paths;

pub use cik::Cik;
pub use paths::Paths;
