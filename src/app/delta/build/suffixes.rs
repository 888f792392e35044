//! The suffix array of a text, by induced sorting (SA-IS; Nong, Zhang and Chan, 2009): in linear time, four bytes of memory for
//! each byte of the text and some more.

const NONE: u32 = u32::MAX;

/// The places of a text's suffixes, in the order of the suffixes. The text has fewer than 2^31 bytes.
pub(super) fn suffixes(text: &[u8]) -> Vec<u32> {
    let mut array = vec![NONE; text.len()];
    sort(text, &mut array, 256);
    array
}

/// A letter of a text: a byte at first, then the number of a substring.
trait Letter: Copy + Eq + Ord {
    fn number(self) -> usize;
}

impl Letter for u8 {
    fn number(self) -> usize {
        usize::from(self)
    }
}

impl Letter for u32 {
    fn number(self) -> usize {
        self as usize
    }
}

/// Which suffixes are smaller than the one behind them, a bit each.
struct Types(Vec<u64>);

impl Types {
    fn of<L: Letter>(text: &[L]) -> Types {
        let mut types = Types(vec![0; text.len() / 64 + 1]);
        for at in (0..text.len().saturating_sub(1)).rev() {
            let (here, next) = (text[at], text[at + 1]);
            if here < next || (here == next && types.is_small(at + 1)) {
                types.0[at / 64] |= 1 << (at % 64);
            }
        }
        types
    }

    fn is_small(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }

    /// Whether a smaller suffix begins here, behind a larger one.
    fn is_leftmost(&self, at: usize) -> bool {
        at > 0 && self.is_small(at) && !self.is_small(at - 1)
    }
}

/// Where the suffixes that begin with each letter begin in the array, or end.
fn buckets<L: Letter>(text: &[L], letters: usize, ends: bool) -> Vec<u32> {
    let mut bounds = vec![0u32; letters];
    for letter in text {
        bounds[letter.number()] += 1;
    }
    let mut sum = 0;
    for bound in &mut bounds {
        let count = *bound;
        *bound = if ends { sum + count } else { sum };
        sum += count;
    }
    bounds
}

/// Sorts all suffixes from the leftmost small ones, which stand at the ends of their buckets in order.
fn induce<L: Letter>(text: &[L], types: &Types, array: &mut [u32], letters: usize) {
    let mut heads = buckets(text, letters, false);
    let mut put = |array: &mut [u32], at: usize| {
        let head = &mut heads[text[at].number()];
        array[*head as usize] = at as u32;
        *head += 1;
    };
    // The empty suffix is the first of all; the one before it is always a large one.
    put(array, text.len() - 1);
    for place in 0..array.len() {
        let at = array[place];
        if at != NONE && at > 0 && !types.is_small(at as usize - 1) {
            put(array, at as usize - 1);
        }
    }
    let mut tails = buckets(text, letters, true);
    for place in (0..array.len()).rev() {
        let at = array[place];
        if at != NONE && at > 0 && types.is_small(at as usize - 1) {
            let tail = &mut tails[text[at as usize - 1].number()];
            *tail -= 1;
            array[*tail as usize] = at - 1;
        }
    }
}

/// Puts the leftmost small suffixes, given in some order, at the ends of their buckets, and sorts the others from them.
fn place<L: Letter>(text: &[L], types: &Types, leftmost: &[u32], array: &mut [u32], letters: usize) {
    array.fill(NONE);
    let mut tails = buckets(text, letters, true);
    for at in leftmost.iter().rev() {
        let tail = &mut tails[text[*at as usize].number()];
        *tail -= 1;
        array[*tail as usize] = *at;
    }
    induce(text, types, array, letters);
}

/// Whether the substrings from two leftmost small places to the next such places are equal.
fn same<L: Letter>(text: &[L], types: &Types, one: usize, other: usize) -> bool {
    for step in 0.. {
        let (a, b) = (one + step, other + step);
        if a >= text.len() || b >= text.len() || text[a] != text[b] || types.is_small(a) != types.is_small(b) {
            return false;
        }
        if step > 0 && (types.is_leftmost(a) || types.is_leftmost(b)) {
            return types.is_leftmost(a) && types.is_leftmost(b);
        }
    }
    false
}

/// Each level is at most half as long as the one above, so there are at most 31.
fn sort<L: Letter>(text: &[L], array: &mut [u32], letters: usize) {
    if text.is_empty() {
        return;
    }
    let types = Types::of(text);
    let mut leftmost: Vec<u32> = (0..text.len()).filter(|at| types.is_leftmost(*at)).map(|at| at as u32).collect();
    place(text, &types, &leftmost, array, letters);
    if leftmost.len() > 1 {
        // Their substrings are in order now: numbered, they are a shorter text.
        let sorted: Vec<u32> = array.iter().copied().filter(|at| types.is_leftmost(*at as usize)).collect();
        array.fill(NONE);
        let mut count = 0u32;
        let mut before = NONE;
        for at in &sorted {
            if before != NONE && !same(text, &types, before as usize, *at as usize) {
                count += 1;
            }
            // Two of them are never neighbours, so that half their place is one of their own.
            array[*at as usize / 2] = count;
            before = *at;
        }
        let shorter: Vec<u32> = leftmost.iter().map(|at| array[*at as usize / 2]).collect();
        let mut order = sorted;
        order.fill(NONE);
        if count as usize + 1 == shorter.len() {
            for (index, number) in shorter.iter().enumerate() {
                order[*number as usize] = index as u32;
            }
        } else {
            sort(&shorter, &mut order, count as usize + 1);
        }
        drop(shorter);
        for index in &mut order {
            *index = leftmost[*index as usize];
        }
        leftmost = order;
        place(text, &types, &leftmost, array, letters);
    }
}

#[cfg(test)]
mod tests {
    use super::suffixes;

    fn check(text: &[u8]) {
        let mut naive: Vec<u32> = (0..text.len() as u32).collect();
        naive.sort_by_key(|at| &text[*at as usize..]);
        assert_eq!(suffixes(text), naive, "{:?}", &text[..text.len().min(60)]);
    }

    #[test]
    fn every_short_text_of_three_letters_is_sorted() {
        for length in 0..=8u32 {
            for mut number in 0..3u32.pow(length) {
                let text: Vec<u8> = (0..length)
                    .map(|_| {
                        let letter = number % 3;
                        number /= 3;
                        b'a' + letter as u8
                    })
                    .collect();
                check(&text);
            }
        }
    }

    #[test]
    fn longer_texts_are_sorted() {
        let mut seed = 1u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        for letters in [1, 2, 4, 256] {
            for length in [100, 1000, 3000] {
                let text: Vec<u8> = (0..length).map(|_| (u16::from(random()) % letters) as u8).collect();
                check(&text);
            }
        }
        check(&b"mississippi".repeat(50));
        check(&[0; 2000]);
    }
}
