//! A point: one value of one alias at one time; what the queue carries.

/// One value of one alias at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The dataport alias, decoded; at most [`MAX_ALIAS`] bytes.
    pub alias: String,
    /// The value, decoded.
    pub value: String,
    /// When it was measured.
    pub time: PointTime,
}

/// An alias's longest form, in bytes: its length is stored in one byte.
pub const MAX_ALIAS: usize = 255;

/// When a point was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointTime {
    /// Unix seconds.
    Unix(u64),
    /// In a boot whose place in time was not known when the point arrived (see `stamp`).
    SinceBoot {
        /// Which boot.
        boot: u32,
        /// Since its start; negative: before the kernel started.
        milliseconds: i64,
    },
}
