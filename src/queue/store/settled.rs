//! Whether a store opened anew would be the same: before its process goes away for a nap.

use super::load::load;
use super::Store;

impl Store {
    /// Makes the notes of forwarded points durable; then whether all but the count of forwarded points would be found again.
    /// It reads one segment.
    pub fn is_settled(&mut self) -> bool {
        self.flush_state();
        // What is damaged would be reported at each awakening.
        if !self.pending.is_empty() || self.failed.is_some() || !self.state.damage.is_empty() {
            return false;
        }
        let Ok(mut found) = load(&self.folder) else { return false };
        found.state.counters.forwarded = self.state.counters.forwarded;
        // Says how it was read, not what is in it.
        found.state.whole = self.state.whole;
        let end = self.current.as_ref().map(|current| current.end);
        found.state == self.state && found.segments == self.segments && found.end == end
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, WhenFull, MIN_BYTES};
    use super::*;
    use crate::queue::point::{Point, PointTime};
    use std::fs;

    #[test]
    fn a_store_is_settled_where_it_would_be_found_the_same() {
        let folder = std::env::temp_dir().join(format!("gwe-settled-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let limits = Limits { max_bytes: MIN_BYTES, when_full: WhenFull::Refuse };
        let mut store = Store::open(&folder, limits).unwrap();
        assert!(store.is_settled(), "empty");
        let time = PointTime::SinceBoot { boot: 7, milliseconds: 5 };
        let point = Point { alias: "a".to_string(), value: "1".to_string(), time };
        store.stage(1, std::slice::from_ref(&point)).unwrap();
        assert!(!store.is_settled(), "not written yet");
        store.commit().unwrap();
        assert!(store.is_settled());
        store.forwarded(1, u64::MAX, 1, 0);
        store.forwarded_at_once(3);
        assert!(store.is_settled());
        assert_eq!((store.unflushed, store.state.counters.forwarded), (0, 4));
        // What the disk did not take: the point would wait again.
        store.stage(1, &[point]).unwrap();
        store.commit().unwrap();
        store.current = None;
        store.forwarded(1, u64::MAX, 1, 0);
        assert!(store.state.cursors.is_empty() && !store.is_settled());
        fs::remove_dir_all(folder).unwrap();
    }
}
