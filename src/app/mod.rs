//! A Custom Gateway Application as a file: name, tarball, check, buildfile, build, signature, fragment.
//!
//! Invariant: knows no cloud and runs nothing on the gateway.
