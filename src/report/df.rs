//! The text that `df` shows, laid out as GNU coreutils does it.

use std::path::Path;

use crate::format::json::{escaped_len, shortened};
use crate::sys::mounts::{FileSystem, Mounted, Usage};

/// The text takes at most so many bytes of a report.
pub(super) const MAX_TEXT: usize = 8 * 1024;
/// A source or a target of a mount is cut at so many characters, so that one of them does not widen every line.
const MAX_CELL: usize = 120;

const COLUMNS: usize = 6;
const HEADER: [&str; COLUMNS] = ["Filesystem", "1K-blocks", "Used", "Available", "Use%", "Mounted on"];
/// The narrowest that each column gets; the header widens some.
const WIDTHS: [usize; COLUMNS] = [14, 5, 5, 5, 4, 0];

type DfRow = [String; COLUMNS];

/// The table of all file systems that `df` would show; `df` alone of them shows one that was not asked with figures, where
/// this has `-`.
pub(super) fn text(mounted: &Mounted) -> String {
    let mut rows: Vec<DfRow> = vec![HEADER.map(String::from)];
    rows.extend(shown(&mounted.file_systems).into_iter().map(row));
    let mut widths = WIDTHS;
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let lines: Vec<String> = rows.iter().map(|row| line(row, &widths)).collect();
    fitting(&lines, mounted.unseen, MAX_TEXT)
}

/// Those with blocks, each device once.
fn shown(file_systems: &[FileSystem]) -> Vec<&FileSystem> {
    let mut chosen: Vec<&FileSystem> = Vec::new();
    for candidate in file_systems {
        match chosen.iter_mut().find(|earlier| is_same(earlier, candidate)) {
            Some(earlier) if is_better(candidate, earlier) => *earlier = candidate,
            Some(_) => {}
            None => chosen.push(candidate),
        }
    }
    chosen.retain(|fs| fs.usage.map_or(true, |usage| usage.blocks > 0));
    chosen
}

/// Two mounts of one device; but two exports of one server are two things, though they share a number.
fn is_same(a: &FileSystem, b: &FileSystem) -> bool {
    let are_exports = a.usage.is_none() && b.usage.is_none() && a.source != b.source;
    a.device == b.device && !are_exports
}

/// Which of two mounts of one device `df` shows: that with a path for its source; else that nearer to the root, unless it shows
/// only a folder of what the other shows; else, at the same place, the later one, which hides the other.
fn is_better(candidate: &FileSystem, earlier: &FileSystem) -> bool {
    let length = |path: &Path| path.as_os_str().len();
    let is_nearer = length(&candidate.target) < length(&earlier.target);
    let is_folder_of_it = length(&earlier.root) < length(&candidate.root);
    (candidate.source.contains('/') && !earlier.source.contains('/'))
        || (is_nearer && !is_folder_of_it)
        || (candidate.source != earlier.source && candidate.target == earlier.target)
}

fn row(fs: &FileSystem) -> DfRow {
    let [blocks, used, available, percent] = match fs.usage {
        Some(usage) => figures(usage),
        None => ["-", "-", "-", "-"].map(String::from),
    };
    let target = fs.target.to_string_lossy();
    [printable(&fs.source), blocks, used, available, percent, printable(&target)]
}

/// 1K-blocks, used, available, use%.
fn figures(usage: Usage) -> [String; 4] {
    let kb = |blocks: u64| blocks.saturating_mul(usage.block_size).div_ceil(1024).to_string();
    let used = usage.blocks.saturating_sub(usage.free);
    // Of what anybody may use: blocks kept for root are neither used nor available.
    let total = used.saturating_add(usage.available);
    let percent = match used.checked_mul(100) {
        Some(hundredfold) if total > 0 => hundredfold.div_ceil(total).to_string() + "%",
        _ => "-".to_string(),
    };
    [kb(usage.blocks), kb(used), kb(usage.available), percent]
}

/// A hostile label of a stick cannot break the lines.
fn printable(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    shortened(&name, MAX_CELL)
}

/// Names to the left, figures to the right; nothing after the last column.
fn line(row: &DfRow, widths: &[usize; COLUMNS]) -> String {
    let mut line = String::new();
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        let padding = width.saturating_sub(cell.chars().count());
        if column > 0 {
            line.push(' ');
        }
        if column > 0 && column < COLUMNS - 1 {
            pad(&mut line, padding);
        }
        line.push_str(cell);
        if column == 0 {
            pad(&mut line, padding);
        }
    }
    line
}

fn pad(line: &mut String, count: usize) {
    line.extend(std::iter::repeat(' ').take(count));
}

/// As many of the lines as take at most `limit` bytes within a JSON string, how many more there were, and how many mounts nobody
/// looked at: of those it is not known whether they would have got a line.
fn fitting(lines: &[String], unseen: usize, limit: usize) -> String {
    const NEWLINE: usize = 2;
    const NOTE: usize = 90;
    let mut text = String::new();
    let mut size = 0;
    for (index, line) in lines.iter().enumerate() {
        size += escaped_len(line) + NEWLINE;
        if index > 0 {
            text.push('\n');
        }
        if size + NOTE > limit {
            text.push_str(&format!("({} more left out)", lines.len() - index));
            break;
        }
        text.push_str(line);
    }
    if unseen > 0 {
        text.push_str(&format!("\n({unseen} more mounts not looked at)"));
    }
    text
}

#[cfg(test)]
mod tests;
