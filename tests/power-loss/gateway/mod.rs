//! A gateway in the experiment: the real agent and the real supervisord on the disk under test, and the server outside.

mod agent;
mod boot;
mod hawkbit;
mod hosting;
mod neighbour;
mod platform;
mod queue;
mod sample_app;
mod server;
mod taken_down;
mod watch;
mod without;

pub use agent::Agent;
pub use boot::{lay_out, Boot};
pub use hosting::Hosting;
pub use neighbour::Neighbour;
pub use platform::{Arrived, Platform};
pub use queue::Queue;
pub use sample_app::SampleApp;
pub use server::{Server, Told, SERIAL};
pub use taken_down::check_in;
pub use without::{run_without, KINDS};
