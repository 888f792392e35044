//! A Custom Gateway Application as a file: name, tarball, check, buildfile, build, signature, fragment.
//!
//! Invariant: knows no cloud and runs nothing on the gateway.

pub mod build;
pub mod buildfile;
pub mod create;
pub mod delta;
mod entry;
pub mod fault;
pub mod gzip;
mod headers;
pub mod key_set;
mod limits;
mod member;
mod meter;
pub mod name;
mod parts;
pub mod program_conf;
pub mod signature;
pub mod tarball;
mod target;
pub mod unpack;

pub use build::build;
pub use buildfile::{check_buildfile, Buildfile, Overrides};
pub use create::create_buildfile;
pub use fault::{Fault, Reason};
pub use key_set::KeySet;
pub use name::TarballName;
pub use parts::Installer;
pub use program_conf::{fragment, FragmentDefaults, ThisGateway};
pub use signature::{Signed, TrustedKeys};
pub use tarball::UnpackLimits;
pub use unpack::{check, check_as, read_delta, unpack, UnpackError};

#[cfg(test)]
pub(crate) mod tests;
