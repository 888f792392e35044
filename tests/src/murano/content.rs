//! The content area: uploads, as files in a folder; the database says which file is which.

use super::http::{date, form};
use super::store::{ContentRow, Store};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The largest upload, in bytes.
pub const MAX_UPLOAD: u64 = 512 * 1024 * 1024;

/// The folder with the bytes. A file is never written again once it has its name: a replaced one is a new file, so that
/// a download in progress keeps what it began with.
#[derive(Debug)]
pub struct ContentArea {
    folder: PathBuf,
    next: AtomicU64,
}

impl ContentArea {
    /// Opens the folder, and removes what a kill in the middle of an upload left behind.
    pub fn open(folder: PathBuf, store: &Store) -> io::Result<ContentArea> {
        fs::create_dir_all(&folder)?;
        let known: Vec<String> = store.contents().map_err(io::Error::other)?.into_iter().map(|row| row.file).collect();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !known.iter().any(|file| entry.file_name() == file.as_str()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(ContentArea { folder, next: AtomicU64::new(date::now_ms() as u64) })
    }

    /// Takes an upload in. Nothing changes unless all of it comes.
    pub fn upload(&self, store: &Store, id: &str, meta: &str, from: &mut dyn Read) -> io::Result<ContentRow> {
        let taken = self.upload_checked(store, id, meta, from, |_| Ok::<(), ()>(()))?;
        Ok(taken.unwrap_or_else(|()| unreachable!("nothing is found wrong")))
    }

    /// The same for what `check` finds nothing wrong with; what it says is the inner error, and then nothing changes.
    pub fn upload_checked<E>(
        &self,
        store: &Store,
        id: &str,
        meta: &str,
        from: &mut dyn Read,
        check: impl FnOnce(&Path) -> Result<(), E>,
    ) -> io::Result<Result<ContentRow, E>> {
        let file = self.new_name(id);
        let path = self.folder.join(&file);
        let result = receive(from, &path).and_then(|size| {
            if let Err(wrong) = check(&path) {
                return Ok(Err(wrong));
            }
            let row = ContentRow {
                id: id.to_string(),
                file: file.clone(),
                content_type: content_type(id).to_string(),
                size,
                ts: date::now(),
                meta: meta.to_string(),
            };
            let old = store.put_content(&row).map_err(io::Error::other)?;
            Ok(Ok((row, old)))
        });
        match result {
            Ok(Ok((row, old))) => {
                self.remove_file(old);
                Ok(Ok(row))
            }
            Ok(Err(wrong)) => {
                self.remove_file(Some(file));
                Ok(Err(wrong))
            }
            Err(error) => {
                self.remove_file(Some(file));
                Err(error)
            }
        }
    }

    /// Removes an entry; false where there is none.
    pub fn delete(&self, store: &Store, id: &str) -> io::Result<bool> {
        let file = store.remove_content(id).map_err(io::Error::other)?;
        let found = file.is_some();
        self.remove_file(file);
        Ok(found)
    }

    /// Opens an entry's bytes.
    pub fn read(&self, row: &ContentRow) -> io::Result<File> {
        File::open(self.folder.join(&row.file))
    }

    /// A name that no file has or had: a number, and the id for the eyes of whoever looks into the folder.
    fn new_name(&self, id: &str) -> String {
        let mut readable = form::encode(id);
        readable.truncate(100);
        format!("{}-{readable}", self.next.fetch_add(1, Relaxed))
    }

    fn remove_file(&self, file: Option<String>) {
        if let Some(file) = file {
            let _ = fs::remove_file(self.folder.join(file));
        }
    }
}

fn receive(from: &mut dyn Read, path: &Path) -> io::Result<u64> {
    let mut file = File::create_new(path)?;
    let size = io::copy(&mut from.take(MAX_UPLOAD + 1), &mut file)?;
    if size > MAX_UPLOAD {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "an upload is at most 512 MiB"));
    }
    Ok(size)
}

fn content_type(id: &str) -> &'static str {
    match id.rsplit('.').next() {
        Some("gz") => "application/gzip",
        Some("json") => "application/json",
        Some("txt" | "minisig") => "text/plain",
        _ => "application/octet-stream",
    }
}
