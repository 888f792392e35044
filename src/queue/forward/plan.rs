//! Which points go into one request.

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

/// Divides points into requests without two of one alias and the same second, which the platform would refuse (409): the first
/// of each second go first, then the second ones. Returns their indices; each request keeps the points' order.
#[must_use]
pub fn layers(points: &[(&str, u64)]) -> Vec<Vec<usize>> {
    let mut sorted: Vec<usize> = (0..points.len()).collect();
    sorted.sort_by_key(|i| points.get(*i));
    let mut layer_of = vec![0; points.len()];
    for pair in sorted.windows(2) {
        let [before, after] = pair else { continue };
        if points.get(*before) == points.get(*after) {
            let layer = layer_of.get(*before).copied().unwrap_or(0);
            if let Some(slot) = layer_of.get_mut(*after) {
                *slot = layer + 1;
            }
        }
    }
    let mut layers: Vec<Vec<usize>> = Vec::new();
    for (index, layer) in layer_of.into_iter().enumerate() {
        while layers.len() <= layer {
            layers.push(Vec::new());
        }
        if let Some(layer) = layers.get_mut(layer) {
            layer.push(index);
        }
    }
    layers
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
    fn no_request_has_two_points_of_one_alias_in_one_second() {
        assert_eq!(layers(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(layers(&[("a", 1), ("a", 2), ("b", 1)]), [vec![0, 1, 2]]);
        assert_eq!(
            layers(&[("a", 1), ("a", 1), ("b", 1), ("a", 2), ("a", 1), ("a", 2)]),
            [vec![0, 2, 3], vec![1, 5], vec![4]]
        );
        let same = vec![("a", 7); 100];
        assert_eq!(layers(&same), (0..100).map(|i| vec![i]).collect::<Vec<_>>());
    }
}
