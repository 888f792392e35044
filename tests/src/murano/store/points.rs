//! Data: every point ever written or recorded, per device and alias.

use super::{Result, Store};
use rusqlite::types::Value as Sql;
use rusqlite::{params, params_from_iter, Connection, OptionalExtension, Row};
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;

/// How a point came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `write`: the server's time.
    Write,
    /// `record`: the client's time.
    Record,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Write => "write",
            Kind::Record => "record",
        }
    }
}

/// A point of an alias.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Which alias.
    pub alias: String,
    /// Unix seconds.
    pub ts: f64,
    /// The value; empty after the alias was cleared.
    pub value: String,
}

/// An alias that has points.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// The one that it reads as.
    pub newest: Point,
    /// How many there are.
    pub points: i64,
}

impl Store {
    /// Stores points of one device in order, all or none.
    pub fn store(&self, sn: &str, points: &[Point], kind: Kind) -> Result<()> {
        let mut db = self.db();
        let step = db.transaction()?;
        {
            let sql = "INSERT INTO point (sn, alias, ts, value, kind) VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut insert = step.prepare_cached(sql)?;
            for point in points {
                insert.execute(params![sn, point.alias, point.ts, point.value, kind.name()])?;
            }
        }
        step.commit()
    }

    /// The newest point of an alias: the one with the latest time; of several, the one that came last.
    pub fn latest(&self, sn: &str, alias: &str) -> Result<Option<Point>> {
        let sql = "SELECT alias, ts, value FROM point WHERE sn = ?1 AND alias = ?2
                   ORDER BY ts DESC, id DESC LIMIT 1";
        self.db().prepare_cached(sql)?.query_row([sn, alias], read).optional()
    }

    /// The newest point of an alias that is not empty.
    pub fn latest_set(&self, sn: &str, alias: &str) -> Result<Option<Point>> {
        let sql = "SELECT alias, ts, value FROM point WHERE sn = ?1 AND alias = ?2 AND value <> ''
                   ORDER BY ts DESC, id DESC LIMIT 1";
        self.db().prepare_cached(sql)?.query_row([sn, alias], read).optional()
    }

    /// Every alias of a device, by name.
    pub fn aliases(&self, sn: &str) -> Result<Vec<Alias>> {
        let counts: Vec<(String, i64)> = {
            let db = self.db();
            let mut query =
                db.prepare_cached("SELECT alias, count(*) FROM point WHERE sn = ?1 GROUP BY alias ORDER BY alias")?;
            let rows = query.query_map([sn], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_>>()?
        };
        let mut aliases = Vec::new();
        for (alias, points) in counts {
            aliases.extend(self.latest(sn, &alias)?.map(|newest| Alias { newest, points }));
        }
        Ok(aliases)
    }

    /// The points of an alias from a time on, oldest first; of more than `at_most`, the newest.
    pub fn points(&self, sn: &str, alias: &str, from: f64, at_most: u32) -> Result<Vec<Point>> {
        let db = self.db();
        let sql = "SELECT alias, ts, value FROM point WHERE sn = ?1 AND alias = ?2 AND ts >= ?3 ORDER BY ts DESC, id DESC LIMIT ?4";
        let mut query = db.prepare_cached(sql)?;
        let rows = query.query_map(params![sn, alias, from, at_most], read)?;
        let mut points: Vec<Point> = rows.collect::<Result<_>>()?;
        points.reverse();
        Ok(points)
    }

    /// The id of the last point stored; ids grow.
    pub fn last_id(&self) -> Result<i64> {
        self.db().query_row("SELECT coalesce(max(id), 0) FROM point", [], |row| row.get(0))
    }

    /// Whether any of the aliases has a point that came after `id`, or whose time is after `since`.
    pub fn changed(&self, sn: &str, aliases: &[String], id: i64, since: Option<i64>) -> Result<bool> {
        let marks = vec!["?"; aliases.len()].join(",");
        let sql = format!("SELECT 1 FROM point WHERE sn = ? AND (id > ? OR ts > ?) AND alias IN ({marks}) LIMIT 1");
        let since = since.map_or(f64::INFINITY, |since| since as f64);
        let fixed = [Sql::from(sn.to_string()), Sql::from(id), Sql::from(since)];
        let values = fixed.into_iter().chain(aliases.iter().cloned().map(Sql::from));
        let found = self.db().prepare_cached(&sql)?.query_row(params_from_iter(values), |_| Ok(()));
        Ok(found.optional()?.is_some())
    }

    /// `{"devices": {cik: sn}, "data": {sn: {alias: [[unix_ts, value, "write"|"record"], …]}}}`, points in the order
    /// they came.
    pub fn state(&self) -> Result<Value> {
        let db = self.db();
        let mut devices = Map::new();
        let mut query = db.prepare_cached("SELECT cik, sn FROM device WHERE cik IS NOT NULL")?;
        for row in query.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))? {
            let (cik, sn) = row?;
            devices.insert(cik, json!(sn));
        }
        Ok(json!({ "devices": devices, "data": data(&db)? }))
    }
}

fn read(row: &Row) -> Result<Point> {
    Ok(Point { alias: row.get(0)?, ts: row.get(1)?, value: row.get(2)? })
}

/// `{sn: {alias: [[unix_ts, value, kind], …]}}`
fn data(db: &Connection) -> Result<BTreeMap<String, BTreeMap<String, Vec<Value>>>> {
    let mut data: BTreeMap<String, BTreeMap<String, Vec<Value>>> = BTreeMap::new();
    let mut query = db.prepare_cached("SELECT sn, alias, ts, value, kind FROM point ORDER BY id")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (ts, value, kind): (f64, String, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let aliases = data.entry(row.get(0)?).or_default();
        aliases.entry(row.get(1)?).or_default().push(json!([number(ts), value, kind]));
    }
    Ok(data)
}

/// A time as JSON: whole seconds without a fraction.
fn number(ts: f64) -> Value {
    if ts.fract() == 0.0 {
        json!(ts as i64)
    } else {
        json!(ts)
    }
}
