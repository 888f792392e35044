//! Which points go into one request.

use crate::format::sort::sort;

/// A request's body, in bytes, at the most; a single point may be larger.
pub const MAX_BODY: usize = 64 * 1024;

/// How many of the points, alias and value, go into the next upload: at most `quantity`, and what fits into one body. At least
/// one.
#[must_use]
pub fn upload<'a>(points: impl Iterator<Item = (&'a str, &'a str)>, quantity: usize) -> usize {
    let (mut count, mut size) = (0, 0);
    for (alias, value) in points.take(quantity.max(1)) {
        // `&<ts>=` beside the two.
        size += encoded_size(alias) + encoded_size(value) + 24;
        if count > 0 && size > MAX_BODY {
            break;
        }
        count += 1;
    }
    count
}

/// Each byte as itself or, at the most, as three.
fn encoded_size(text: &str) -> usize {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { 1 } else { 3 }).sum()
}

/// Divides points into requests without two of one alias and the same second, which the platform would refuse (409). Returns
/// their indices.
///
/// The points keep their order. Only where a series is so much faster than one point a second that its order would cost ten times
/// as many requests, and more than [`MANY`], the first of each second go first, then the second ones, and so on.
#[must_use]
pub fn requests(points: &[(&str, u64)]) -> Vec<Vec<usize>> {
    let in_order = runs(points);
    if in_order.len() > MANY {
        let layers = layers(points);
        if layers.len() * 10 <= in_order.len() {
            return layers;
        }
    }
    in_order
}

/// So many requests for one upload are worth saving.
const MANY: usize = 100;

/// Cuts before each point that has its like in the same request.
fn runs(points: &[(&str, u64)]) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for (index, last) in last_alike(points).into_iter().enumerate() {
        match runs.last_mut() {
            Some(run) if last < run.first().copied() => run.push(index),
            _ => runs.push(vec![index]),
        }
    }
    runs
}

/// The first of each second, then the second ones, and so on.
fn layers(points: &[(&str, u64)]) -> Vec<Vec<usize>> {
    let mut layers: Vec<Vec<usize>> = Vec::new();
    let mut layer_of: Vec<usize> = Vec::new();
    for (index, last) in last_alike(points).into_iter().enumerate() {
        let layer = last.and_then(|last| layer_of.get(last)).map_or(0, |before| before + 1);
        layer_of.push(layer);
        match layers.get_mut(layer) {
            Some(indices) => indices.push(index),
            None => layers.push(vec![index]),
        }
    }
    layers
}

/// For each point the last one before it of the same alias and second.
fn last_alike(points: &[(&str, u64)]) -> Vec<Option<usize>> {
    let mut sorted: Vec<((&str, u64), usize)> = points.iter().copied().zip(0..).collect();
    sort(&mut sorted);
    let mut alike = vec![None; points.len()];
    for pair in sorted.windows(2) {
        if let [(before, last), (point, index)] = pair {
            if let Some(alike) = alike.get_mut(*index).filter(|_| before == point) {
                *alike = Some(*last);
            }
        }
    }
    alike
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_bounded_in_points_and_bytes_and_never_empty() {
        let value = "%".repeat(100);
        let points = || std::iter::repeat(("a", value.as_str())).take(1000);
        assert_eq!(upload(points(), 10), 10);
        assert_eq!(upload(points(), 0), 1);
        let bytes = upload(points(), 1000) * (3 * 100 + 24 + 1);
        assert!(bytes <= MAX_BODY && bytes > MAX_BODY - 400);
        let large = "v".repeat(100_000);
        assert_eq!(upload([("a", large.as_str()), ("a", "1")].into_iter(), 10), 1);
        assert_eq!(upload([].into_iter(), 10), 0);
    }

    #[test]
    fn no_request_has_two_points_of_one_alias_in_one_second_and_order_is_kept() {
        assert_eq!(requests(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(requests(&[("a", 1), ("a", 2), ("b", 1)]), [vec![0, 1, 2]]);
        assert_eq!(
            requests(&[("a", 1), ("a", 1), ("b", 1), ("a", 2), ("a", 1), ("a", 2)]),
            [vec![0], vec![1, 2, 3], vec![4, 5]]
        );
        let same = vec![("a", 7); 300];
        assert_eq!(requests(&same), (0..300).map(|i| vec![i]).collect::<Vec<_>>());
    }

    #[test]
    fn a_series_much_faster_than_a_point_a_second_goes_in_layers() {
        let fast: Vec<(&str, u64)> = (0..500).map(|n| ("a", n / 10)).collect();
        let layers = requests(&fast);
        assert_eq!(layers.len(), 10);
        for (n, layer) in layers.iter().enumerate() {
            assert_eq!(*layer, (0..50).map(|second| second * 10 + n).collect::<Vec<_>>());
        }
        let a_little_faster: Vec<(&str, u64)> = (0..500).map(|n| ("a", n / 2)).collect();
        assert_eq!(requests(&a_little_faster).len(), 2, "even twice as fast");
    }
}
