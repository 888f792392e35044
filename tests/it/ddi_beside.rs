//! Orders from hawkBit, data by the Device API: the queue and the device client beside a gateway whose orders come from elsewhere, and a gateway
//! that has no Device API at all.

use crate::ddi::unit;
use gwe_tests::harness::{Gmq, Hawkbit, Murano, Tarball, DDI_ID, DDI_TOKEN};
use gwe_tests::murano::endpoint::Endpoint;
use std::time::Duration;

const MARK: &str = "echo $GWE_APP_NAME >> $GWE_ROOT/marks";
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn the_queue_and_the_device_client_work_while_orders_come_from_hawkbit() {
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    let hawkbit = Hawkbit::start();
    let gateway = gmq.gateway();
    let set =
        ["--set-backend", "ddi", "--set-ddi-url", &hawkbit.url(), "--set-ddi-id", DDI_ID, "--set-ddi-token", DDI_TOKEN];
    gateway.gwe(&set).ok();
    let cik = murano.activate("two-2");
    let app = hawkbit.artifact("app.v1.tar.gz", &Tarball::app(MARK).bytes());
    hawkbit.order("1", &[app]);
    assert_eq!(gmq.write("one-1", "before=1"), 204);
    assert_eq!(gmq.record("one-1", "r", "1700000000=x"), 204);
    let before = murano.count(Endpoint::Activate);
    // What would be ordered there is no order here.
    murano.upload("other.v1.tar.gz", &Tarball::app(MARK).bytes());
    murano.write("one-1", "engine_fetch", r#"{"install": [{"name": "other.v1.tar.gz"}]}"#);
    gateway.gwe(&["--once"]).ok();
    assert_eq!(hawkbit.told("1").last().map(String::as_str), Some("closed success 0"));
    assert_eq!(gateway.root().read("marks"), "app\n");
    assert_eq!(murano.count(Endpoint::Activate), before, "the agent asks nothing of the Device API");
    assert_eq!(murano.read("one-1", "engine_report"), None);
    assert_eq!(gmq.write("one-1", "after=2"), 204);
    gateway.gdc(&["write", &cik, "direct", "3"]).ok();
    gmq.drained(LIMIT);
    for (sn, alias, value) in
        [("one-1", "before", "1"), ("one-1", "r", "x"), ("one-1", "after", "2"), ("two-2", "direct", "3")]
    {
        assert_eq!(murano.history(sn, alias), [value], "{alias}");
    }
    assert!(murano.read("one-1", "engine_fetch").is_some(), "an order that is not ours is left alone");
}

#[test]
fn with_hawkbit_alone_nothing_of_the_device_api_is_needed() {
    let unit = unit();
    let app = unit.hawkbit.artifact("app.v1.tar.gz", &Tarball::app(MARK).bytes());
    unit.hawkbit.order("1", &[app]);
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("1").last().map(String::as_str), Some("closed success 0"));
    assert_eq!(unit.gateway.root().read("marks"), "app\n");
    let status = unit.gateway.gwe(&["--status"]).stdout;
    assert!(status.contains("orders from     hawkBit"), "{status}");
}
