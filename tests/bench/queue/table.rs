//! What was measured, beside its limit.

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    limit: Option<f64>,
}

impl Row {
    /// A figure with a limit.
    pub fn limited(what: &str, value: f64, unit: &'static str, limit: f64) -> Row {
        Row { what: what.to_string(), value, unit, limit: Some(limit) }
    }

    /// A figure to compare with.
    pub fn plain(what: &str, value: f64, unit: &'static str) -> Row {
        Row { what: what.to_string(), value, unit, limit: None }
    }

    /// Whether it is beyond its limit, as it is printed.
    pub fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.shown() > limit)
    }

    fn shown(&self) -> f64 {
        let factor = if self.value >= 100.0 { 1.0 } else { 100.0 };
        (self.value * factor).round() / factor
    }
}

/// Prints all.
pub fn print(rows: &[Row]) {
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    for row in rows {
        let limit = row
            .limit
            .map_or(String::new(), |limit| format!("  limit {limit}{}", if row.is_over() { "  OVER" } else { "" }));
        println!("{:width$}  {:>12} {:<14}{limit}", row.what, row.shown(), row.unit);
    }
}

/// The middle one.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}
