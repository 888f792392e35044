//! Helpers for black-box tests: a server, a gateway's root, tarballs, supervisord, and programs run with a time limit.
//!
//! Everything here cleans up after itself when it is dropped, and panics with a sentence where a test cannot go on.

mod alone;
mod background;
mod command;
mod ddi;
mod dns;
mod faults;
mod gateway;
mod gmq;
mod murano;
mod murano_child;
mod other_agent;
mod own_files;
mod proc;
mod raw;
mod refusing;
mod rpc;
mod scratch;
mod scripted;
mod signer;
mod site;
mod skip;
mod small_disk;
mod supervisord;
mod tarball;
mod terminal;
mod wait;
mod wrong_clock;

pub use alone::alone;
pub use background::Background;
pub use command::{has_program, run, run_fed, Ran};
pub use ddi::{answer, sha256, Hawkbit, DDI_ID, DDI_TOKEN};
pub use dns::Dns;
pub use faults::{Chance, FAULTS};
pub use gateway::{agent_binary, Gateway};
pub use gmq::Gmq;
pub use murano::Murano;
pub use murano_child::{murano_binary, MuranoChild};
pub use other_agent::agent_of;
pub use own_files::{with_files, NOT_IN_PLACE};
pub use proc::{child_pids, children_of, exe, is_asleep, number_of};
pub use raw::{raw, End, RawReply};
pub use refusing::refusing;
pub use rpc::call;
pub use scratch::Scratch;
pub use scripted::{Guest, Scripted};
pub use signer::{has_minisign, Signer};
pub use site::{scripted_app, worker_app, Site, PATIENCE, SN};
pub use skip::announce_skip;
pub use small_disk::SmallDisk;
pub use supervisord::{Supervisord, TWIN_HEAD};
pub use tarball::{damage, gunzip, gzip, Kind, Tarball};
pub use terminal::in_terminal;
pub use wait::{wait_for, wait_until};
pub use wrong_clock::WrongClock;
