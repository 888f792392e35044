//! The book of events: numbers, counts, what is dropped and what is written.

use super::*;
use std::fs;

struct Bench(Paths);

impl Bench {
    fn new(name: &str) -> Bench {
        let root = std::env::temp_dir().join(format!("gwe-security-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        Bench(Paths::new(root))
    }

    fn written(&self) -> Option<Vec<u8>> {
        fs::read(path(&self.0)).ok()
    }

    fn told(&self) -> Vec<(u64, String, u64)> {
        events(&self.0).into_iter().map(|event| (event.n, event.what + " " + &event.about, event.times)).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.root());
    }
}

fn row(n: u64, text: &str, times: u64) -> (u64, String, u64) {
    (n, text.to_string(), times)
}

#[test]
fn what_a_server_repeats_is_counted_and_written_once_an_hour() {
    let bench = Bench::new("repeats");
    note(&bench.0, What::SignatureRefused, "a.v1");
    let first = bench.written().unwrap();
    for n in 0..500 {
        note(&bench.0, What::SignatureRefused, &format!("a.v{n}"));
    }
    assert_eq!(bench.written().unwrap(), first, "no byte of it reaches the flash");
    assert_eq!(bench.told(), [row(1, "signature_refused a.v1", 501)]);
    // Another kind has an account of its own.
    note(&bench.0, What::RevokedKey, "b\nv1");
    assert_eq!(bench.told(), [row(1, "signature_refused a.v1", 501), row(2, "revoked_key b v1", 1)]);
    // What neither a server nor a user can repeat is always written.
    note(&bench.0, What::KeySetChanged, "v1");
    note(&bench.0, What::KeySetChanged, "v2");
    note_once(&bench.0, What::KeySetChanged, "v2");
    assert_eq!(bench.told()[2..], [row(3, "key_set_changed v1", 1), row(4, "key_set_changed v2", 1)]);
    let changed = bench.written().unwrap();
    catch_up(&bench.0);
    assert_eq!(bench.written().unwrap(), changed, "its hour is not over");
}

#[test]
fn after_a_reboot_what_was_not_written_is_lost_and_no_number_is() {
    let bench = Bench::new("reboot");
    note(&bench.0, What::SignatureRefused, "a.v1");
    note(&bench.0, What::SignatureRefused, "a.v2");
    fs::remove_dir_all(bench.0.run()).unwrap();
    assert_eq!(bench.told(), [row(1, "signature_refused a.v1", 1)]);
    note(&bench.0, What::SignatureRefused, "a.v2");
    assert_eq!(bench.told(), [row(1, "signature_refused a.v1", 1), row(2, "signature_refused a.v2", 1)]);
}

#[test]
fn what_waited_is_written_once_its_hour_is_over() {
    let bench = Bench::new("hour");
    note_at(&bench.0, What::ExpiredKey, "a.v1", 10);
    note_at(&bench.0, What::ExpiredKey, "a.v2", 20);
    let before = bench.written();
    write_due(&bench.0, 9 + PAUSE);
    assert_eq!(bench.written(), before);
    write_due(&bench.0, 10 + PAUSE);
    assert_ne!(bench.written(), before);
    assert_eq!((bench.told(), waiting(&bench.0)[0].times), (vec![row(1, "expired_key a.v1", 2)], 0));
    let settled = bench.written();
    write_due(&bench.0, 11 + 3 * PAUSE);
    assert_eq!(bench.written(), settled, "nothing waits");
    note_at(&bench.0, What::ExpiredKey, "a.v3", 12 + 3 * PAUSE);
    assert_eq!(bench.told(), [row(1, "expired_key a.v1", 2), row(2, "expired_key a.v3", 1)]);
}

#[test]
fn a_factory_reset_is_counted_once_whatever_is_cut_off() {
    let bench = Bench::new("reset");
    let reset = |boot: &str| {
        file::replace(&note_of_reset(&bench.0), boot.as_bytes(), 0o644).unwrap();
        catch_up(&bench.0);
    };
    note(&bench.0, What::KeySetChanged, "v1");
    reset("aa\n");
    // The agent's other books see it, whichever of the two is left.
    assert!(was_reset(&bench.0, "aa") && !was_reset(&bench.0, "bb"));
    file::replace(&note_of_reset(&bench.0), b"aa\n", 0o644).unwrap();
    assert!(was_reset(&bench.0, "bb"), "it is not counted yet");
    // Cut off between the event and the end of its note.
    reset("aa\n");
    reset("bb\n");
    assert_eq!(
        bench.told(),
        [row(1, "key_set_changed v1", 1), row(2, "factory_reset boot aa", 1), row(3, "factory_reset boot bb", 1)]
    );
    assert!(!note_of_reset(&bench.0).exists());
}

#[test]
fn the_newest_are_kept_and_no_kind_crowds_out_another() {
    let mut book = Book { next: 1, events: Vec::new() };
    book.add("factory_reset", "boot aa", Some(1));
    for n in 0..3 * MAX_EVENTS {
        book.add("signature_refused", &n.to_string(), None);
    }
    assert_eq!((book.events.len(), book.events[0].what.as_str(), book.next), (MAX_EVENTS, "factory_reset", 602));
    assert_eq!(book.events.last().map(|event| event.n), Some(601));
    assert!(json::to_string(&book).len() as u64 <= MAX_FILE);
    let longest = "\u{1}".repeat(MAX_ABOUT);
    (0..MAX_EVENTS).for_each(|n| book.add("signature_refused", &format!("{longest}{n}"), Some(u64::MAX)));
    assert!(json::to_string(&book).len() as u64 <= MAX_FILE);
}

#[test]
fn a_damaged_file_costs_the_events_and_no_number_goes_back() {
    for damage in [&b""[..], &[0; 100], b"{\"next\":7,\"events\":[", b"\xff"] {
        let bench = Bench::new("damage");
        file::replace(&path(&bench.0), damage, 0o644).unwrap();
        note(&bench.0, What::KeySetChanged, "v9");
        let told = bench.told();
        assert!(told[0].0 >= BUILD_EPOCH && told[1].0 == told[0].0 + 1, "{told:?}");
        assert_eq!(
            (told[0].1.as_str(), told[1].1.as_str()),
            ("events_lost the file was damaged", "key_set_changed v9")
        );
    }
}
