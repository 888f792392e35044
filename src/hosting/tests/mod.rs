//! What the two halves share, tried from outside: the table of states pair by pair, and bytes that are no messages.

mod forms;
mod model;
mod pairs;
mod probes;
