//! The store as a whole: what comes back, in which order, after damage, at its bounds.

use super::reader::ExtentReader;
use super::*;
use crate::queue::point::PointTime;
use std::fs;

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("gwe-store-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    dir
}

const ROOMY: Limits = Limits { max_bytes: 64 * 1024 * 1024, when_full: WhenFull::Refuse };
const SMALL: Limits = Limits { max_bytes: MIN_BYTES + 4 * segment::SIZE as u64, when_full: WhenFull::Refuse };

fn point(value: u64) -> Point {
    let alias = "temperature".to_string();
    Point { alias, value: format!("{value:0>89}"), time: PointTime::Unix(1_700_000_000 + value) }
}

fn put(store: &mut Store, identity: u64, values: std::ops::Range<u64>) {
    let last = values.end;
    for value in values {
        store.stage(identity, &[point(value)]).unwrap();
        if value % 50 == 49 || value + 1 == last {
            store.commit().unwrap();
            store.prepare_ahead(Duration::ZERO);
        }
    }
}

/// Reads all that waits: identity, sequence number, value.
fn waiting(store: &mut Store) -> Vec<(u64, u64, u64)> {
    let ids: Vec<u64> = store.state().cursors.iter().map(|c| c.identity).collect();
    let Some(extent) = store.begin_pass(&mut ids.into_iter()) else { return Vec::new() };
    let mut reader = ExtentReader::new(&store.folder, extent).unwrap();
    let mut found = Vec::new();
    let state = store.state().clone();
    while let Some(read) = reader.next_segment(&|id, sequence| state.waits(id, sequence), &mut |w| {
        found.push((w.identity, w.sequence, w.point.value.parse().unwrap()));
    }) {
        store.damaged(read.number, read.lost);
    }
    found
}

fn values(found: &[(u64, u64, u64)], identity: u64) -> Vec<u64> {
    found.iter().filter(|f| f.0 == identity).map(|f| f.2).collect()
}

#[test]
fn what_was_committed_is_there_in_order_after_every_restart() {
    let dir = scratch("order");
    for round in 0..5 {
        let mut store = Store::open(&dir, ROOMY).unwrap();
        put(&mut store, 1 + round % 2, round * 1500..(round + 1) * 1500);
        assert_eq!(store.state().queued(), (round + 1) * 1500);
    }
    let mut store = Store::open(&dir, ROOMY).unwrap();
    assert_eq!(store.state().queued(), 7500);
    let found = waiting(&mut store);
    assert!(found.windows(2).all(|w| w[0].1 < w[1].1), "sequence numbers rise");
    assert_eq!(values(&found, 2), (1500..3000).chain(4500..6000).collect::<Vec<_>>());
    assert_eq!(found.len(), 7500);
    assert_eq!(store.state().counters.damaged, 0);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn forwarded_points_do_not_come_back_and_their_segments_go() {
    let dir = scratch("forwarded");
    let mut store = Store::open(&dir, ROOMY).unwrap();
    put(&mut store, 1, 0..9000);
    let full = store.bytes();
    let found = waiting(&mut store);
    store.forwarded(1, found[6999].1 + 1, 7000, 0);
    assert!(store.bytes() <= full - 3 * segment::SIZE as u64);
    drop(store);
    let mut store = Store::open(&dir, ROOMY).unwrap();
    assert_eq!((store.state().queued(), store.state().counters.forwarded), (2000, 7000));
    assert_eq!(store.oldest(), Some(point(7000)));
    let found = waiting(&mut store);
    assert_eq!(values(&found, 1), (7000..9000).collect::<Vec<_>>());
    store.forwarded(1, found[1999].1 + 1, 2000, 0);
    assert_eq!((store.state().queued(), store.oldest()), (0, None));
    assert!(store.bytes() <= 2 * segment::SIZE as u64, "nothing waits: the segment in use and the prepared one");
    assert!(waiting(&mut store).is_empty());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn nothing_staged_is_there_before_it_is_committed() {
    let dir = scratch("staged");
    let mut store = Store::open(&dir, ROOMY).unwrap();
    store.stage(1, &[point(1)]).unwrap();
    drop(store);
    let mut store = Store::open(&dir, ROOMY).unwrap();
    assert!(waiting(&mut store).is_empty());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_burst_larger_than_a_segment_goes_in_at_once() {
    let dir = scratch("burst");
    let mut store = Store::open(&dir, ROOMY).unwrap();
    let points: Vec<Point> = (0..5000).map(point).collect();
    store.stage(3, &points).unwrap();
    store.commit().unwrap();
    drop(store);
    let found = waiting(&mut Store::open(&dir, ROOMY).unwrap());
    assert_eq!(values(&found, 3), (0..5000).collect::<Vec<_>>());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_full_store_refuses_and_takes_again_when_points_have_gone() {
    let dir = scratch("refuse");
    let mut store = Store::open(&dir, SMALL).unwrap();
    let mut taken = 0;
    let refused = loop {
        match store.stage(1, &[point(taken)]) {
            Ok(()) if taken % 20 == 0 => store.commit().unwrap(),
            Ok(()) => {}
            Err(e) => break e,
        }
        taken += 1;
    };
    assert!(matches!(refused, StoreRefusal::Full(max) if max == SMALL.max_bytes), "{refused}");
    store.commit().unwrap();
    assert!(taken > 10_000);
    assert!(disk_use(&dir) <= SMALL.max_bytes);
    let found = waiting(&mut store);
    assert_eq!(values(&found, 1), (0..taken).collect::<Vec<_>>());
    store.forwarded(1, found[4999].1 + 1, 5000, 0);
    put(&mut store, 1, taken..taken + 1000);
    fs::remove_dir_all(dir).unwrap();
}

fn disk_use(dir: &Path) -> u64 {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn drop_oldest_keeps_the_newest_and_counts_what_went() {
    let dir = scratch("drop");
    let limits = Limits { when_full: WhenFull::DropOldest, ..SMALL };
    let mut store = Store::open(&dir, limits).unwrap();
    for value in 0..30_000 {
        store.stage(1 + value % 3, &[point(value)]).unwrap();
        if value % 20 == 0 {
            store.commit().unwrap();
            store.prepare_ahead(Duration::ZERO);
        }
        assert!(store.bytes() <= limits.max_bytes);
    }
    store.commit().unwrap();
    let found = waiting(&mut store);
    let counters = store.state().counters;
    assert_eq!(counters.dropped + found.len() as u64, 30_000);
    assert_eq!(store.state().queued(), found.len() as u64);
    assert_eq!(found.iter().map(|f| f.2).collect::<Vec<_>>(), (counters.dropped..30_000).collect::<Vec<_>>());
    drop(store);
    let store = Store::open(&dir, limits).unwrap();
    assert_eq!(store.state().counters.dropped, counters.dropped);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_device_that_cannot_be_served_does_not_fill_the_store_with_what_others_have_forwarded() {
    let dir = scratch("compact");
    let mut store = Store::open(&dir, SMALL).unwrap();
    let (mut stuck, mut last) = (Vec::new(), 0);
    for round in 0..40 {
        put(&mut store, 7, round..round + 1);
        stuck.push(round);
        put(&mut store, 1, round * 1000..(round + 1) * 1000);
        let found = waiting(&mut store);
        assert_eq!(values(&found, 1), (round * 1000..(round + 1) * 1000).collect::<Vec<_>>());
        assert_eq!(values(&found, 7), stuck, "moved points keep their order");
        last = found.iter().filter(|f| f.0 == 1).map(|f| f.1).max().unwrap();
        store.forwarded(1, last + 1, 1000, 0);
        assert!(disk_use(&dir) <= SMALL.max_bytes);
    }
    assert!(last > 0);
    drop(store);
    let mut store = Store::open(&dir, SMALL).unwrap();
    let found = waiting(&mut store);
    assert_eq!((values(&found, 7), found.len()), (stuck, 40));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_reader_under_way_meets_every_point_although_they_are_moved() {
    let dir = scratch("moved");
    let mut store = Store::open(&dir, SMALL).unwrap();
    let mut expected = 0..0;
    for round in 0.. {
        put(&mut store, 7, round..round + 1);
        expected.end = round + 1;
        if store.stage(1, &(0..500).map(point).collect::<Vec<_>>()).is_err() {
            break;
        }
        store.commit().unwrap();
    }
    let all = waiting(&mut store);
    let state = store.state().clone();
    let extent = store.begin_pass(&mut [7].into_iter()).unwrap();
    let mut reader = ExtentReader::new(&dir, extent).unwrap();
    let mut found = Vec::new();
    let read = |reader: &mut ExtentReader, found: &mut Vec<u64>| {
        reader
            .next_segment(&|id, sequence| id == 7 && state.waits(id, sequence), &mut |w| {
                found.push(w.point.value.parse().unwrap());
            })
            .is_some()
    };
    assert!(read(&mut reader, &mut found) && read(&mut reader, &mut found));
    // Everything of the other identity goes, and the full store is written on until segments were moved together.
    let last = all.iter().filter(|f| f.0 == 1).map(|f| f.1).max().unwrap();
    store.forwarded(1, last + 1, all.iter().filter(|f| f.0 == 1).count() as u32, 0);
    let files = fs::read_dir(&dir).unwrap().count();
    put(&mut store, 1, 0..3000);
    assert!(fs::read_dir(&dir).unwrap().count() <= files);
    while read(&mut reader, &mut found) {}
    assert_eq!(found, expected.collect::<Vec<_>>());
    store.end_pass(7);
    assert_eq!(values(&waiting(&mut store), 7), Vec::<u64>::new());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn power_going_while_points_are_moved_leaves_them_once() {
    let dir = scratch("cut");
    let mut store = Store::open(&dir, SMALL).unwrap();
    put(&mut store, 7, 0..1);
    put(&mut store, 1, 0..6000);
    put(&mut store, 7, 1..2);
    let last = waiting(&mut store).iter().filter(|f| f.0 == 1).map(|f| f.1).max().unwrap();
    store.forwarded(1, last + 1, 6000, 0);
    let plan = compact::plan(&dir, &store.segments[..3], 0, store.salt, store.state()).unwrap();
    compact::carry_out(&dir, &store.segments, &plan, store.salt).unwrap();
    drop(store);
    let mut store = Store::open(&dir, SMALL).unwrap();
    assert_eq!(values(&waiting(&mut store), 7), [0, 1]);
    assert!(store.segments.len() <= 2, "those moved from are gone: {:?}", store.segments);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_torn_tail_is_dropped_and_nothing_is_written_behind_it() {
    let dir = scratch("torn");
    let mut store = Store::open(&dir, ROOMY).unwrap();
    put(&mut store, 1, 0..10);
    let end = store.current.as_ref().unwrap().end;
    let number = store.segments.last().unwrap().number;
    drop(store);
    segment::open(&dir, number).unwrap().write_all_at(&[1, 2, 3, 4, 1, 90, 0, 0, 9], end as u64).unwrap();
    let mut store = Store::open(&dir, ROOMY).unwrap();
    assert_eq!(store.state().counters.damaged, 1);
    put(&mut store, 1, 10..20);
    assert_ne!(store.segments.last().unwrap().number, number);
    drop(store);
    let mut store = Store::open(&dir, ROOMY).unwrap();
    assert_eq!(values(&waiting(&mut store), 1), (0..20).collect::<Vec<_>>());
    assert_eq!(store.state().counters.damaged, 1, "counted once");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_pass_to_the_end_gives_up_what_damage_took() {
    let dir = scratch("gone");
    let mut store = Store::open(&dir, ROOMY).unwrap();
    put(&mut store, 1, 0..10);
    let end = store.current.as_ref().unwrap().end;
    let number = store.segments.last().unwrap().number;
    // The last three records turn to zeros behind the server's back.
    segment::open(&dir, number).unwrap().write_all_at(&[0; 399], end as u64 - 399).unwrap();
    store.begin_pass(&mut [1].into_iter()).unwrap();
    let found = waiting(&mut store);
    assert_eq!(found.len(), 7);
    put(&mut store, 1, 10..12);
    store.forwarded(1, found[6].1 + 1, 7, 0);
    store.since_pass = vec![(1, 2)];
    store.end_pass(1);
    assert_eq!(store.state().queued(), 2);
    assert_eq!(values(&waiting(&mut store), 1), [10, 11]);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn damage_at_any_byte_never_panics_never_invents_and_never_spreads() {
    let dir = scratch("damage");
    let mut store = Store::open(&dir, ROOMY).unwrap();
    put(&mut store, 1, 0..4500);
    drop(store);
    let pristine: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut draw = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    for round in 0..60 {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let hit = draw(pristine.len());
        for (i, (path, bytes)) in pristine.iter().enumerate() {
            let mut bytes = bytes.clone();
            if i == hit {
                let (at, length) = (draw(bytes.len()), 1 + draw(if round % 3 == 0 { 5000 } else { 20 }));
                let end = (at + length).min(bytes.len());
                match round % 4 {
                    0 => bytes[at..end].fill(0),
                    1 => bytes[at..end].iter_mut().for_each(|b| *b ^= 0x5a),
                    2 => bytes[at] ^= 1 << draw(8),
                    _ => bytes.truncate(at),
                }
            }
            fs::write(path, bytes).unwrap();
        }
        let mut store = Store::open(&dir, ROOMY).unwrap();
        let found = values(&waiting(&mut store), 1);
        assert!(found.windows(2).all(|w| w[0] < w[1]), "in order, once");
        assert!(found.iter().all(|v| *v < 4500), "nothing invented");
        let lost = 4500 - found.len();
        let most = if round % 4 == 3 { 2000 } else { 5000 / 133 + 3 };
        assert!(lost <= most, "round {round}: lost {lost}");
        // Zeros at the very end of the log cannot be told from space that was never written.
        let is_end_missing = round % 4 == 0 && found == (0..found.len() as u64).collect::<Vec<_>>();
        let damaged = store.state().counters.damaged;
        assert!(lost == 0 || damaged > 0 || is_end_missing, "round {round}: {lost} lost, none counted");
        put(&mut store, 1, 4500..4510);
        let found = values(&waiting(&mut store), 1);
        assert_eq!(found.len(), 4510 - lost, "round {round}");
    }
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_folder_of_rubbish_opens() {
    let dir = scratch("rubbish");
    fs::create_dir_all(&dir).unwrap();
    for (name, content) in
        [("00000001.seg", &b""[..]), ("00000002.seg", &[0xff; 5000]), ("0000000g.seg", b"x"), ("00000003.seg.new", b"")]
    {
        fs::write(dir.join(name), content).unwrap();
    }
    let mut store = Store::open(&dir, ROOMY).unwrap();
    put(&mut store, 1, 0..3);
    assert_eq!(values(&waiting(&mut store), 1), [0, 1, 2]);
    assert!(store.state().counters.damaged > 0);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_segment_that_cannot_be_made_is_a_reason_and_not_the_end() {
    let dir = scratch("disk");
    let mut store = Store::open(&dir, ROOMY).unwrap();
    put(&mut store, 1, 0..10);
    // A folder in the way of the next segments: root is not stopped by a mode.
    for number in store.next_number..store.next_number + 3 {
        fs::create_dir(segment::path(&dir, number).with_extension("seg.new")).unwrap();
    }
    let refused = loop {
        match store.stage(1, &[point(1)]) {
            Ok(()) => store.commit().unwrap(),
            Err(e) => break e,
        }
    };
    assert!(matches!(refused, StoreRefusal::Disk(_)), "{refused}");
    let before = store.state().queued();
    for number in store.next_number..store.next_number + 3 {
        fs::remove_dir(segment::path(&dir, number).with_extension("seg.new")).unwrap();
    }
    put(&mut store, 1, 0..1);
    assert_eq!(waiting(&mut store).len() as u64, before + 1);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn boots_are_placed_in_time_for_good() {
    let dir = scratch("boots");
    let mut store = Store::open(&dir, ROOMY).unwrap();
    let time = |milliseconds| PointTime::SinceBoot { boot: 5, milliseconds };
    for seconds in [10, 25, 20] {
        store.stage(1, &[Point { time: time(seconds), ..point(1) }]).unwrap();
    }
    store.commit().unwrap();
    drop(store);
    let mut store = Store::open(&dir, ROOMY).unwrap();
    assert_eq!(store.state().boots, [Boot { tag: 5, began: None, last: 25 }]);
    store.set_boot(Boot { tag: 5, began: Some(1_800_000_000), last: 25 }).unwrap();
    drop(store);
    let store = Store::open(&dir, ROOMY).unwrap();
    assert_eq!(store.state().boots, [Boot { tag: 5, began: Some(1_800_000_000), last: 25 }]);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_is_given_up_is_counted_and_does_not_come_back_also_where_there_is_no_room_to_note_it() {
    for is_brimful in [false, true] {
        let dir = scratch(if is_brimful { "given-up-brimful" } else { "given-up" });
        let mut store = Store::open(&dir, SMALL).unwrap();
        put(&mut store, 1, 0..3);
        put(&mut store, 2, 0..2);
        let mut count = 3;
        let empty = Point { value: String::new(), ..point(0) };
        while is_brimful && store.room() >= record::point_size(&empty) {
            let fits = store.room() - record::point_size(&empty);
            let value = "9".repeat(if fits > MAX_POINT { MAX_POINT / 2 } else { fits });
            store.stage(1, &[Point { value, ..empty.clone() }]).unwrap();
            store.commit().unwrap();
            count += 1;
        }
        assert_eq!(store.give_up(1).unwrap(), count);
        assert_eq!(store.give_up(1).unwrap(), 0, "nothing is left");
        drop(store);
        let mut store = Store::open(&dir, SMALL).unwrap();
        assert_eq!((store.state().queued(), store.state().counters.dropped), (2, u64::from(count)));
        assert_eq!(values(&waiting(&mut store), 2), [0, 1]);
        fs::remove_dir_all(dir).unwrap();
    }
}
