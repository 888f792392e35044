//! gmq, the store-and-forward queue on localhost (spec: gmq.md).

pub mod point;
pub mod store;
