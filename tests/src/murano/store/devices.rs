//! Devices: a serial number, whether it may activate, and its CIK.

use super::{Result, Store};
use rusqlite::{params, Connection, OptionalExtension, Row};
use std::fs::File;
use std::io::Read;

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Serial number.
    pub sn: String,
    /// What it was given when it last activated.
    pub cik: Option<String>,
    /// Whether it may activate.
    pub enabled: bool,
}

/// What became of an activation.
#[derive(Debug, PartialEq, Eq)]
pub enum Activation {
    /// The new CIK. An older one is void.
    Activated(String),
    /// No such serial number.
    Unknown,
    /// Already activated, and not enabled again.
    NotEnabled,
}

impl Store {
    /// Makes a serial number known and free to activate. One that is known stays as it is; false then.
    pub fn add_device(&self, sn: &str) -> Result<bool> {
        Ok(insert(&self.db(), sn)? == 1)
    }

    /// Lets a serial number activate (again). Its CIK is valid until then. False where it is unknown.
    pub fn enable_device(&self, sn: &str) -> Result<bool> {
        let changed = self.db().execute("UPDATE device SET enabled = 1 WHERE sn = ?1", [sn])?;
        Ok(changed == 1)
    }

    /// Voids a device's CIK, and lets it activate again. False where it is unknown.
    pub fn revoke_device(&self, sn: &str) -> Result<bool> {
        let sql = "UPDATE device SET enabled = 1, cik = NULL WHERE sn = ?1";
        Ok(self.db().execute(sql, [sn])? == 1)
    }

    /// Gives a device a CIK as if it had activated. False where the CIK is another device's.
    pub fn set_cik(&self, sn: &str, cik: &str) -> Result<bool> {
        let mut db = self.db();
        let step = db.transaction()?;
        insert(&step, sn)?;
        let sql = "UPDATE OR IGNORE device SET enabled = 0, cik = ?2 WHERE sn = ?1";
        let changed = step.execute(sql, [sn, cik])?;
        step.commit()?;
        Ok(changed == 1)
    }

    /// Activates. With `open`, a serial number that nobody added is as good as any.
    pub fn activate(&self, sn: &str, open: bool) -> Result<Activation> {
        let mut db = self.db();
        let step = db.transaction()?;
        if open {
            insert(&step, sn)?;
        }
        let sql = "SELECT enabled FROM device WHERE sn = ?1";
        match step.query_row(sql, [sn], |row| row.get::<_, bool>(0)).optional()? {
            None => return Ok(Activation::Unknown),
            Some(false) => return Ok(Activation::NotEnabled),
            Some(true) => {}
        }
        let cik = new_cik();
        let sql = "UPDATE device SET enabled = 0, cik = ?2 WHERE sn = ?1";
        step.execute(sql, params![sn, cik])?;
        step.commit()?;
        Ok(Activation::Activated(cik))
    }

    /// Whose CIK this is.
    pub fn device_of(&self, cik: &str) -> Result<Option<String>> {
        let sql = "SELECT sn FROM device WHERE cik = ?1";
        self.db().query_row(sql, [cik], |row| row.get(0)).optional()
    }

    /// Whether this serial number is known.
    pub fn knows_device(&self, sn: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM device WHERE sn = ?1";
        Ok(self.db().query_row(sql, [sn], |_| Ok(())).optional()?.is_some())
    }

    /// The device of a serial number.
    pub fn device(&self, sn: &str) -> Result<Option<Device>> {
        let sql = "SELECT sn, cik, enabled FROM device WHERE sn = ?1";
        self.db().prepare_cached(sql)?.query_row([sn], read).optional()
    }

    /// All devices, by serial number.
    pub fn devices(&self) -> Result<Vec<Device>> {
        let db = self.db();
        let mut query = db.prepare_cached("SELECT sn, cik, enabled FROM device ORDER BY sn")?;
        let rows = query.query_map([], read)?;
        rows.collect()
    }
}

fn insert(db: &Connection, sn: &str) -> Result<usize> {
    db.execute("INSERT OR IGNORE INTO device (sn, enabled) VALUES (?1, 1)", [sn])
}

fn read(row: &Row) -> Result<Device> {
    Ok(Device { sn: row.get(0)?, cik: row.get(1)?, enabled: row.get(2)? })
}

/// 40 characters of mixed-case letters and digits: the platform hands out lower-case hex too, but a client that takes
/// these takes both.
fn new_cik() -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = [0; 40];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random)).expect("/dev/urandom can be read");
    random.iter().map(|byte| ALPHABET[usize::from(*byte) % 62] as char).collect()
}
