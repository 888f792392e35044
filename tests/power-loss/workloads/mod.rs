//! What works on the disk: the controls, and the real agent at each of its jobs.

mod config_writes;
mod control;
mod key_set;
mod look;
mod month;
mod otau;
mod otau_check;
mod queue;
mod queue_clients;
mod queue_clients_check;
mod queue_clients_points;
mod removal;
mod self_update;
mod self_update_check;

use super::workload::Workload;
use config_writes::ConfigWrites;
use control::Control;
use key_set::KeySet;
use month::MonthAccount;
use otau::Otau;
use queue::QueueWork;
use queue_clients::QueueClients;
use removal::Removal;
use self_update::SelfUpdate;

/// Those that show that the detector works.
pub fn controls() -> Vec<Box<dyn Workload>> {
    [Control::Synced, Control::Unsynced, Control::InPlace].map(|control| Box::new(control) as Box<dyn Workload>).into()
}

/// The agent's jobs.
pub fn all() -> Vec<Box<dyn Workload>> {
    vec![
        Box::new(ConfigWrites),
        Box::new(Otau::Update),
        Box::new(Otau::RollBack),
        Box::new(Otau::Delta),
        Box::new(Otau::CutAgain),
        Box::new(Otau::TakesDown),
        Box::new(Otau::Waiting),
        Box::new(Otau::Held),
        Box::new(Otau::Ddi),
        Box::new(Otau::DdiRollBack),
        Box::new(Removal),
        Box::new(KeySet),
        Box::new(MonthAccount),
        Box::new(SelfUpdate::Update),
        Box::new(SelfUpdate::RollBack),
        Box::new(SelfUpdate::TakesDown),
        Box::new(SelfUpdate::Ddi),
        Box::new(QueueWork),
        Box::new(QueueClients),
    ]
}
