//! A day without network, at a record a second; then the network is back.

use gwe_tests::harness::{Gmq, Murano};
use std::time::Duration;

const DAY: u64 = 86_400;
const BEGAN: u64 = 1_700_000_000;

#[test]
fn a_day_of_outage_is_all_there_in_order_once() {
    let murano = Murano::start();
    let mut gmq = Gmq::start(&murano.url());
    assert_eq!(gmq.write("1", "a=before"), 204);
    murano.faults(&["any:refuse"]);
    for minute in 0..DAY / 60 {
        let points = (minute * 60..(minute + 1) * 60).map(|n| format!("{}=reading+{n}", BEGAN + n));
        assert_eq!(gmq.record("1", "sensor", &points.collect::<Vec<_>>().join("&")), 204);
        if minute == 700 || minute == 1100 {
            gmq.kill();
            gmq.run();
        }
    }
    assert_eq!(gmq.count("queued"), DAY);
    murano.clear_faults();
    gmq.drained(Duration::from_secs(120));
    let state = murano.state();
    let points = state["data"]["1"]["sensor"].as_array().unwrap();
    assert_eq!(points.len() as u64, DAY, "once");
    for (n, point) in points.iter().enumerate() {
        let n = n as u64;
        assert_eq!(point[0].as_f64(), Some((BEGAN + n) as f64), "in order");
        assert_eq!(point[1], format!("reading {n}"));
    }
    let status = gmq.status();
    assert_eq!((status["forwarded"].as_u64(), status["damaged"].as_u64()), (Some(DAY + 1), Some(0)), "{status}");
    assert!(gmq.count("bytes") <= 512 * 1024, "the store has shrunk: {status}");
}
