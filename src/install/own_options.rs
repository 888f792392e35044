//! What an app asks of its hosting that only our own supervisord does: said where Python's is there in its place.

use super::fragment::Fragment;
use super::gateway::Gateway;
use crate::format::own_options::{AFTER, PROBE_INTERVAL};
use crate::hosting::renewal;

/// Whether what hosts is somebody else's; one that is not there is not.
#[must_use]
pub fn is_foreign(gateway: &Gateway<'_>) -> bool {
    gateway.supervisor.pid().is_ok_and(renewal::is_foreign)
}

/// Says it in the log, once for each version that settles.
pub(super) fn say_what_is_not_there(gateway: &Gateway<'_>, app: &str, fragment: &Fragment) {
    let asked = asked(fragment);
    if !asked.is_empty() && is_foreign(gateway) {
        crate::warning!("{app}: supervisord is Python's, which ignores {}", asked.join(" and "));
    }
}

/// What installed apps ask for in vain, for `gwe --status`.
#[must_use]
pub fn in_vain(gateway: &Gateway<'_>) -> Option<String> {
    let mut all = Vec::new();
    for app in gateway.registry.apps.iter().filter(|app| app.hosted) {
        all.extend(asked(&Fragment::placed(gateway, &app.name)).iter().map(|key| format!("{key} of {}", app.name)));
    }
    if all.is_empty() || !is_foreign(gateway) {
        return None;
    }
    Some(["Python's supervisord, which ignores ", &all.join(", ")].concat())
}

fn asked(fragment: &Fragment) -> Vec<&'static str> {
    let is_set = |key: &&str| fragment.value(key).is_some_and(|value| !value.is_empty() && value != "0");
    [AFTER, PROBE_INTERVAL.key].into_iter().filter(is_set).collect()
}
