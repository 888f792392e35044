//! Answers of the Device API that are more than a form: text in, values out.

use crate::format::form;

/// What the platform knows about a piece of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentInfo {
    /// The media type that it was uploaded with.
    pub content_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was uploaded, in unix seconds.
    pub time: u64,
    /// What was noted at the upload; mostly empty. It may hold commas.
    pub meta: String,
}

impl ContentInfo {
    /// Reads `<content-type>,<byte size>,<unix time>,<meta>`; the last may be missing.
    pub(crate) fn parse(text: &str) -> Option<ContentInfo> {
        let line = text.trim_end_matches(['\r', '\n']);
        let mut fields = line.splitn(4, ',');
        let content_type = fields.next()?.trim().to_string();
        let size = fields.next()?.trim().parse().ok()?;
        let time = fields.next()?.trim().parse().ok()?;
        let meta = fields.next().unwrap_or("").to_string();
        Some(ContentInfo { content_type, size, time, meta })
    }
}

/// The points that a 409 to a record names: `<alias>=<ts>&…`. What is no such pair is left out.
pub(crate) fn conflicts(body: &str) -> Vec<(String, i64)> {
    form::pairs(body.trim()).filter_map(|(alias, ts)| Some((alias, ts.trim().parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_info_with_and_without_meta() {
        for (text, want) in [
            ("text/plain,12,1700000000,", Some(("text/plain", 12, 1_700_000_000, ""))),
            (
                "text/plain; charset=utf-8,12,1700000000,a, b,c\r\n",
                Some(("text/plain; charset=utf-8", 12, 1_700_000_000, "a, b,c")),
            ),
            ("application/gzip,0,0", Some(("application/gzip", 0, 0, ""))),
            ("application/gzip,12", None),
            ("x,-1,0,", None),
            ("x,1,soon,", None),
            ("", None),
        ] {
            let want = want.map(|(content_type, size, time, meta): (&str, u64, u64, &str)| ContentInfo {
                content_type: content_type.to_string(),
                size,
                time,
                meta: meta.to_string(),
            });
            assert_eq!(ContentInfo::parse(text), want, "{text:?}");
        }
    }

    #[test]
    fn conflicts_survive_any_body() {
        assert_eq!(conflicts("a=1&b=x&c%20d=-5\n"), [("a".to_string(), 1), ("c d".to_string(), -5)]);
    }
}
