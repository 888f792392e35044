//! Links that cost by the byte: docs/spec/failures.md, F7 (rauc-hawkbit-updater#209, hawkbit#652).

use gwe_tests::harness::{Murano, Site, Tarball};
use std::time::{Duration, Instant};

/// An app with so many bytes in it that no compression makes smaller.
fn app(word: &str, length: usize) -> Tarball {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let noise: Vec<u8> = std::iter::repeat_with(step).take(length).collect();
    Tarball::app(&format!("echo {word} >> $GWE_ROOT/ran")).file("noise", 0o644, noise)
}

#[test]
fn a_download_takes_the_time_that_its_rate_leaves_it() {
    for is_tls in [false, true] {
        let murano = if is_tls { Murano::with_tls() } else { Murano::start() };
        let (url, bundle) = if is_tls { (murano.tls_url(), murano.ca_certificate()) } else { Default::default() };
        let mut site = Site::of(murano);
        if is_tls {
            site.set("engine", "server", &url);
            site.set("engine", "cacert", bundle.to_str().unwrap());
        }
        site.check_in().ok();
        let tarball = app("paced", 60_000);
        site.gateway.gwe(&["--set-max-rate", "20k"]).ok();
        let begun = Instant::now();
        assert_eq!(site.install("app.v1.tar.gz", &tarball), "[gwe] installed app v1 in N s\n");
        // A lower bound, which no slow machine breaks: all but the first quarter of a second's bytes, and a record of TLS.
        let least = (tarball.bytes().len() - 5000 - 16_384) as f64 / 20_000.0;
        assert!(begun.elapsed() >= Duration::from_secs_f64(least), "TLS: {is_tls}: {:?}", begun.elapsed());
    }
}
