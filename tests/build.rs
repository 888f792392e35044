//! Builds the page's files into `murano`, where `make page` has made them.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let project = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the folder"));
    let dist = project.join("page/dist");
    println!("cargo:rerun-if-changed=page/dist");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder")).join("page.rs");
    fs::write(&out, list(&dist)).unwrap_or_else(|error| panic!("cannot write {}: {error}", out.display()));
}

/// The text of a slice of names and bytes; an empty one where the page is not built.
fn list(dist: &Path) -> String {
    let mut files: Vec<PathBuf> =
        fs::read_dir(dist).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut text = String::from("&[");
    for path in files.iter().filter(|path| path.is_file()) {
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        let path = path.to_string_lossy();
        write!(text, "({name:?}, include_bytes!({path:?})),").expect("a String takes all");
    }
    text + "]"
}
