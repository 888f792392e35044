//! What of the new text is like something in the old one: Colin Percival's bsdiff ("Naive differences of executable code", 2003).
//!
//! A match that the suffix array finds is extended both ways for as long as most bytes agree: in a program that was compiled
//! anew, code is the same but for the addresses in it.

/// A match must explain so many bytes more than going on with the one before.
const GAIN: usize = 8;

/// So many bytes of the new text are like the old one's from `at` on, and the next so many are like nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DifferStep {
    pub(super) at: usize,
    pub(super) alike: usize,
    pub(super) literal: usize,
}

/// Gives the steps that make `new` of `old`, whose suffix array is `order`; `progress` is told how far it has come in `new`.
pub(super) fn differ(old: &[u8], new: &[u8], order: &[u32], progress: &mut dyn FnMut(usize)) -> Vec<DifferStep> {
    let mut steps = Vec::new();
    // What was settled last: up to where in the new text, and what of the old one it goes on with.
    let (mut done, mut done_old) = (0, 0);
    let (mut scan, mut length, mut place) = (0, 0, 0);
    while scan < new.len() {
        progress(scan);
        scan += length;
        let shift = done_old as i64 - done as i64;
        let agrees = |at: usize| {
            let other = at as i64 + shift;
            usize::try_from(other).ok().and_then(|other| old.get(other)) == new.get(at)
        };
        let (mut score, mut scored) = (0usize, scan);
        while scan < new.len() {
            (length, place) = longest(old, &new[scan..], order);
            while scored < scan + length {
                score += usize::from(agrees(scored));
                scored += 1;
            }
            if (length == score && length > 0) || length > score + GAIN {
                break;
            }
            score -= usize::from(scored > scan && agrees(scan));
            scan += 1;
            scored = scored.max(scan);
        }
        if length == score && scan < new.len() {
            continue;
        }
        let forth = forth(&old[done_old..], &new[done..scan]);
        let back = if scan < new.len() { back(&old[..place], &new[done..scan]) } else { 0 };
        let (forth, back) = settle_overlap(old, new, (done, done_old, forth), (scan, place, back));
        steps.push(DifferStep { at: done_old, alike: forth, literal: scan - back - done - forth });
        done = scan - back;
        done_old = place - back.min(place);
    }
    steps
}

/// How far the texts are alike from their beginnings on: where half of the bytes agree, going on pays.
fn forth(old: &[u8], new: &[u8]) -> usize {
    best(old.iter().zip(new).map(|(a, b)| a == b))
}

/// The same from their ends.
fn back(old: &[u8], new: &[u8]) -> usize {
    best(old.iter().rev().zip(new.iter().rev()).map(|(a, b)| a == b))
}

fn best(agreements: impl Iterator<Item = bool>) -> usize {
    let (mut score, mut best, mut length) = (0i64, 0i64, 0);
    for (index, agrees) in agreements.enumerate() {
        score += if agrees { 1 } else { -1 };
        if score > best {
            best = score;
            length = index + 1;
        }
    }
    length
}

/// Where both claim the same bytes, they are divided so that most agree.
fn settle_overlap(
    old: &[u8],
    new: &[u8],
    (done, done_old, forth): (usize, usize, usize),
    (scan, place, back): (usize, usize, usize),
) -> (usize, usize) {
    let Some(overlap) = (done + forth + back).checked_sub(scan).filter(|overlap| *overlap > 0) else {
        return (forth, back);
    };
    let (mut score, mut best, mut length) = (0i64, 0i64, 0);
    for index in 0..overlap {
        let at = done + forth - overlap + index;
        score += i64::from(new[at] == old[done_old + forth - overlap + index]);
        score -= i64::from(new[at] == old[place - back + index]);
        if score > best {
            best = score;
            length = index + 1;
        }
    }
    (forth + length - overlap, back - length)
}

/// The longest beginning of `text` that stands somewhere in `old`: its length, and where.
fn longest(old: &[u8], text: &[u8], order: &[u32]) -> (usize, usize) {
    let (mut low, mut high) = (0, order.len());
    // A suffix between two that have so much in common with the text has it, too.
    let (mut low_common, mut high_common) = (0, 0);
    let mut found = (0, 0);
    while low < high {
        let middle = low + (high - low) / 2;
        let at = order[middle] as usize;
        let known = low_common.min(high_common);
        let common = known + common(&old[at + known..], &text[known..]);
        if common > found.0 {
            found = (common, at);
        }
        if common == text.len() {
            break;
        }
        if old.get(at + common) < text.get(common) {
            low = middle + 1;
            low_common = common;
        } else {
            high = middle;
            high_common = common;
        }
    }
    found
}

/// How many bytes two texts have in common at their beginnings.
fn common(one: &[u8], other: &[u8]) -> usize {
    const WORD: usize = 32;
    let mut count = 0;
    for (a, b) in one.chunks_exact(WORD).zip(other.chunks_exact(WORD)) {
        if a != b {
            break;
        }
        count += WORD;
    }
    count + one[count..].iter().zip(&other[count..]).take_while(|(a, b)| a == b).count()
}
