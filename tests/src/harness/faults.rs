//! Ways for a server to fail, and the chance that picks one.

/// Ways to fail that cost no minutes of waiting, as in the table of tests/README.md; long silences are another test's.
pub const FAULTS: [&str; 22] = [
    "any:pass",
    "any:refuse",
    "any:refuse=fin",
    "any:drop=0",
    "any:drop=30,fin",
    "any:drop=body+10",
    "any:truncate=5",
    "any:drip=40,5",
    "any:stall=body+3,1",
    "hybrid:status=500",
    "hybrid:status=503,1",
    "hybrid:status=400",
    "hybrid:status=401*1",
    "hybrid:status=429",
    "write:lost-reply",
    "hybrid:lost-reply",
    "hybrid:length=+7",
    "any:chunked=3",
    "hybrid:chunked-cut=1",
    "hybrid:headers=200,200",
    "any:redirect=http://127.0.0.1:9/",
    "any:garbage=5000",
];

/// Random numbers that are the same for the same seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The next number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
