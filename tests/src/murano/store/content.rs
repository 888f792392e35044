//! What is in the content area; the bytes themselves are files beside the database.

use super::{Result, Store};
use rusqlite::{params, OptionalExtension, Row};

/// An entry of the content area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentRow {
    /// What clients ask for.
    pub id: String,
    /// The file's name in the content folder.
    pub file: String,
    /// Content type.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// Unix seconds of the upload.
    pub ts: i64,
    /// Free text; may be empty.
    pub meta: String,
}

const COLUMNS: &str = "SELECT id, file, type, size, ts, meta FROM content";

impl Store {
    /// Adds an entry or replaces it; returns the name of the file that it replaced.
    pub fn put_content(&self, row: &ContentRow) -> Result<Option<String>> {
        let mut db = self.db();
        let step = db.transaction()?;
        let sql = "SELECT file FROM content WHERE id = ?1";
        let old = step.query_row(sql, [&row.id], |row| row.get(0)).optional()?;
        let sql = "INSERT OR REPLACE INTO content (id, file, type, size, ts, meta) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let size = row.size as i64;
        step.execute(sql, params![row.id, row.file, row.content_type, size, row.ts, row.meta])?;
        step.commit()?;
        Ok(old)
    }

    /// The entry with this id.
    pub fn content(&self, id: &str) -> Result<Option<ContentRow>> {
        let sql = format!("{COLUMNS} WHERE id = ?1");
        self.db().prepare_cached(&sql)?.query_row([id], read).optional()
    }

    /// All entries, by id.
    pub fn contents(&self) -> Result<Vec<ContentRow>> {
        let db = self.db();
        let mut query = db.prepare_cached(&format!("{COLUMNS} ORDER BY id"))?;
        let rows = query.query_map([], read)?;
        rows.collect()
    }

    /// Removes an entry; returns the name of its file, `None` where there was no entry.
    pub fn remove_content(&self, id: &str) -> Result<Option<String>> {
        let sql = "DELETE FROM content WHERE id = ?1 RETURNING file";
        self.db().query_row(sql, [id], |row| row.get(0)).optional()
    }
}

fn read(row: &Row) -> Result<ContentRow> {
    Ok(ContentRow {
        id: row.get(0)?,
        file: row.get(1)?,
        content_type: row.get(2)?,
        size: row.get::<_, i64>(3)? as u64,
        ts: row.get(4)?,
        meta: row.get(5)?,
    })
}
