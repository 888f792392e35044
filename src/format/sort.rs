//! Puts lists of files, processes and apps in order.
//!
//! The standard library's sort is quicker, and costs 2 to 3 kB of flash for each type that is sorted. This is a heap sort: some 200
//! bytes for each type, no memory, and no list of names that makes it slow. Equal items may change places.

/// Sorts in place, in `O(n log n)` whatever the order was.
pub fn sort<T: Ord>(items: &mut [T]) {
    let mut end = items.len();
    for root in (0..end / 2).rev() {
        sift_down(items, root);
    }
    while end > 1 {
        end -= 1;
        items.swap(0, end);
        sift_down(items.get_mut(..end).unwrap_or_default(), 0);
    }
}

/// Sorts by a key; those of one key stay in their order.
pub fn sort_by_key<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut order: Vec<(K, usize)> = items.iter().enumerate().map(|(at, item)| (key(item), at)).collect();
    sort(&mut order);
    let mut taken: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|(_, at)| taken.get_mut(at)?.take()));
}

/// Moves the item at `at` down until no child of its place is greater: then the heap is one again.
fn sift_down<T: Ord>(heap: &mut [T], mut at: usize) {
    loop {
        let left = 2 * at + 1;
        let greater = if heap.get(left + 1) > heap.get(left) { left + 1 } else { left };
        if heap.get(greater) <= heap.get(at) {
            return;
        }
        heap.swap(at, greater);
        at = greater;
    }
}

#[cfg(test)]
mod tests {
    use super::{sort, sort_by_key};

    #[test]
    fn every_order_of_a_short_list_is_sorted() {
        // Numbers in base n count through all lists of n items, those with equal items included.
        for length in 0..=6_usize {
            for mut number in 0..length.pow(u32::try_from(length).unwrap()) {
                let mut items = Vec::new();
                for _ in 0..length {
                    items.push(number % length);
                    number /= length;
                }
                let mut expected = items.clone();
                expected.sort_unstable();
                sort(&mut items);
                assert_eq!(items, expected);
            }
        }
    }

    #[test]
    fn a_long_list_is_sorted_whatever_its_order() {
        let rising: Vec<u32> = (0..10_000).collect();
        let falling: Vec<u32> = rising.iter().rev().copied().collect();
        let mixed: Vec<u32> = rising.iter().map(|n| n * 7919 % 10_000).collect();
        for mut items in [rising.clone(), falling, mixed] {
            sort(&mut items);
            assert_eq!(items, rising);
        }
    }

    #[test]
    fn by_a_key_those_of_one_key_stay_in_their_order() {
        let mut items: Vec<(u32, usize)> = (0..1000).map(|at: u32| (at * 7 % 10, at as usize)).collect();
        let mut expected = items.clone();
        expected.sort_by_key(|(key, _)| *key);
        sort_by_key(&mut items, |(key, _)| *key);
        assert_eq!(items, expected);
    }

    #[test]
    fn names_are_sorted_by_their_bytes() {
        let mut names = ["b.v1", "a.v10", "A.v1", "a.v1"].map(String::from);
        sort(&mut names);
        assert_eq!(names, ["A.v1", "a.v1", "a.v10", "b.v1"]);
    }
}
