//! The faults that are switched on, and whose turn it is.

use super::{Fault, Spec};
use crate::murano::endpoint::Endpoint;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More faults at a time than any test needs.
const MAX_FAULTS: usize = 1000;

/// A fault that applies to a request.
#[derive(Debug, Clone)]
pub struct Applied {
    /// What goes wrong.
    pub fault: Fault,
    /// Its text form, for the request log.
    pub text: String,
}

/// A fault that is switched on.
#[derive(Debug)]
struct Active {
    text: String,
    spec: Spec,
    applied: u32,
    random: Random,
}

/// The faults that are switched on, in order. At most one applies to a request: the first that covers it, is not used
/// up, and wins its draw. So `download:drop=100*1` and then `download:status=503*1` are one bad answer after another.
#[derive(Debug, Default)]
pub struct FaultBook {
    faults: Mutex<Vec<Active>>,
}

impl FaultBook {
    /// Switches faults on, behind those already on. None is switched on if one is wrong.
    pub fn add<S: AsRef<str>>(&self, specs: &[S]) -> Result<(), String> {
        let new = parse(specs)?;
        let mut faults = self.lock();
        if faults.len() + new.len() > MAX_FAULTS {
            return Err(format!("more than {MAX_FAULTS} faults at a time"));
        }
        faults.extend(new);
        Ok(())
    }

    /// Switches these on instead of those that are on. Nothing changes if one is wrong.
    pub fn set<S: AsRef<str>>(&self, specs: &[S]) -> Result<(), String> {
        *self.lock() = parse(specs)?;
        Ok(())
    }

    /// Switches all off.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Each fault's text and how often it has applied.
    pub fn list(&self) -> Vec<(String, u32)> {
        self.lock().iter().map(|active| (active.text.clone(), active.applied)).collect()
    }

    /// Whether a new connection may have to be refused once its endpoint is known.
    pub fn may_refuse(&self) -> bool {
        let refuses = |active: &Active| matches!(active.spec.fault, Fault::Refuse(_));
        self.lock().iter().any(|active| refuses(active) && active.left())
    }

    /// Whether a connection is to be refused whatever it is for. Takes the fault's turn.
    pub fn refuse_any(&self) -> Option<Applied> {
        self.first(|spec| matches!(spec.fault, Fault::Refuse(_)) && spec.scope.is_empty())
    }

    /// The fault that applies to a request. Takes its turn.
    pub fn take(&self, endpoint: Endpoint) -> Option<Applied> {
        self.first(|spec| spec.covers(endpoint))
    }

    fn first(&self, covers: impl Fn(&Spec) -> bool) -> Option<Applied> {
        let mut faults = self.lock();
        for active in faults.iter_mut().filter(|active| covers(&active.spec) && active.left()) {
            if active.random.wins(active.spec.chance) {
                active.applied += 1;
                let fault = active.spec.fault.clone();
                return Some(Applied { fault, text: active.text.clone() });
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Active>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse<S: AsRef<str>>(specs: &[S]) -> Result<Vec<Active>, String> {
    if specs.len() > MAX_FAULTS {
        return Err(format!("more than {MAX_FAULTS} faults at a time"));
    }
    specs.iter().map(|text| Active::new(text.as_ref())).collect()
}

impl Active {
    fn new(text: &str) -> Result<Active, String> {
        let spec = Spec::parse(text)?;
        let random = Random(spec.chance.map_or(1, |(_, seed)| seed));
        Ok(Active { text: text.to_string(), spec, applied: 0, random })
    }

    fn left(&self) -> bool {
        self.spec.count.is_none_or(|count| self.applied < count)
    }
}

/// SplitMix64: the same draws for the same seed, everywhere.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn wins(&mut self, chance: Option<(u8, u64)>) -> bool {
        let Some((percent, _)) = chance else {
            return true;
        };
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100 < u64::from(percent)
    }
}
