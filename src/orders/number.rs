//! Numbers of orders, as writers of JSON spell them.

use miniserde::json::{Number, Value};

/// Whole numbers up to here are exact also where a writer spells them with a point: `150.0`.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number from 0 on; `None`: it is something else.
#[must_use]
pub fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(Number::U64(number)) => Some(*number),
        Value::Number(Number::F64(number)) if number.fract() == 0.0 && (0.0..=MAX_EXACT).contains(number) => {
            Some(*number as u64)
        }
        _ => None,
    }
}
