//! Our reading of configurations beside that of supervisor 4.3.0 itself, and what is ours alone.

mod differential;
mod order;
mod own;
mod shown;
