//! The table of bad archives: what each is, its bytes, the fault it must be refused with. The thread that met it is named where
//! there is one.

use super::archive::*;

pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) bytes: Vec<u8>,
    /// The first fault in words.
    pub(super) fault: &'static str,
}

pub(super) fn rows() -> Vec<Row> {
    [paths(), links(), kinds(), structure(), parts()].into_iter().flatten().collect()
}

/// An app that is good but for these entries.
fn with(what: &'static str, entries: &[Entry], fault: &'static str) -> Row {
    let all: Vec<Entry> = [install_sh()].into_iter().chain(entries.iter().cloned()).collect();
    Row { what, bytes: tar_gz(&all), fault }
}

fn raw(what: &'static str, bytes: Vec<u8>, fault: &'static str) -> Row {
    Row { what, bytes, fault }
}

fn sparse(real_size: u64) -> Entry {
    let mut entry = Entry::new(b'S', "holes", b"").magic(GNU);
    entry.size = octal(0, 12);
    let mut bytes = entry.bytes();
    bytes[483..495].copy_from_slice(&octal(real_size, 12));
    // One empty block at the very end, as GNU tar writes it.
    bytes[386..398].copy_from_slice(&octal(real_size, 12));
    bytes[398..410].copy_from_slice(&octal(0, 12));
    bytes[148..156].copy_from_slice(b"        ");
    let sum: u32 = bytes[..512].iter().map(|b| u32::from(*b)).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    // As the data of a nameless carrier: the block itself is what counts.
    Entry { data: bytes, kind: 0xff, ..entry }
}

/// Entries whose last one is a header block made by hand.
fn with_block(entries: &[Entry], block: &Entry) -> Vec<u8> {
    let mut out: Vec<u8> = entries.iter().flat_map(Entry::bytes).collect();
    out.extend_from_slice(&block.data);
    out.extend_from_slice(&[0; 1024]);
    gz(&out)
}

fn paths() -> Vec<Row> {
    let deep = "d/".repeat(65) + "f";
    let long_name = "n".repeat(300);
    let long_path = "p/".repeat(600);
    vec![
        with("parent path", &[file("../evil", "x")], "../evil: a path with .. in it"),
        with("parent in the middle", &[file("a/../../evil", "x")], "a/../../evil: a path with .. in it"),
        with("parent at the end", &[folder("a/..")], "a/..: a path with .. in it"),
        with("parent folder itself", &[folder("..")], "..: a path with .. in it"),
        with("absolute path", &[file("/tmp/gwe-evil", "x")], "/tmp/gwe-evil: an absolute path"),
        with("absolute by two slashes", &[file("//tmp/gwe-evil", "x")], "//tmp/gwe-evil: an absolute path"),
        with(
            "parent in a long name",
            &[long(b'L', "../evil"), file("fine", "x").magic(GNU)],
            "../evil: a path with ..",
        ),
        with("parent in a pax path", &[pax(&[("path", "../evil")]), file("fine", "x")], "../evil: a path with .."),
        with("absolute pax path", &[pax(&[("path", "/tmp/evil")]), file("fine", "x")], "/tmp/evil: an absolute path"),
        with("two pax paths", &[pax(&[("path", "a"), ("path", "../b")]), file("f", "x")], "a: its extended header is"),
        with("no name", &[file("", "x")], "an entry without a name"),
        with("the root as a file", &[file("./.", "x")], "./.: an entry without a name"),
        with("line break in a name", &[file("a\nb", "x")], "a?b: a control character in its name"),
        with("escape in a name", &[file("a\x1b[2Jb", "x")], "a?[2Jb: a control character in its name"),
        with("too deep", &[long(b'L', &deep), file("f", "x").magic(GNU)], "d/d/"),
        with("name too long", &[long(b'L', &long_name), file("f", "x").magic(GNU)], "nnnn"),
        with("path too long", &[long(b'L', &long_path), file("f", "x").magic(GNU)], "p/p/"),
        Row {
            what: "beside the leading folder",
            bytes: tar_gz(&[file("a.v1/f", "x"), install_sh()]),
            fault: "install.sh: stands beside the leading folder a.v1/",
        },
        Row {
            what: "out of the leading folder",
            bytes: tar_gz(&[folder("a.v1"), file("a.v1/../../evil", "x")]),
            fault: "a.v1/../../evil: a path with .. in it",
        },
    ]
}

fn links() -> Vec<Row> {
    vec![
        // tar-rs#129: a symlink, then a file of the same name, was written to the symlink's target.
        with(
            "file over a symlink",
            &[symlink("s", "/tmp/gwe-exploit"), file("s", "x")],
            "s: a link to an absolute path",
        ),
        // tar-rs#238: folders were made through a symlink.
        with(
            "folders through a symlink",
            &[symlink("s", ".."), file("s/exploit/foo/bar", "x")],
            "s: a link that leads out",
        ),
        with(
            "through a symlink inside",
            &[folder("d"), symlink("s", "d"), file("s/f", "x")],
            "s/f: its folder is a symbolic link",
        ),
        // CVE-2026-33056: a folder over a symlink changed the mode of what it points to.
        with("folder over a symlink", &[symlink("s", "d"), folder("s").mode(0o777)], "s: stands in the tarball twice"),
        with(
            "a symlink by a hard link where it would lead out",
            &[folder("d"), symlink("d/s", "../install.sh"), hard_link("s", "d/s")],
            "s: a link that leads out of the tarball",
        ),
        with(
            "a file linked to itself",
            &[file("f", "x"), hard_link("f", "f")],
            "f: a hard link to f, which is no file",
        ),
        with("absolute symlink", &[symlink("s", "/etc/passwd")], "s: a link to an absolute path"),
        with("symlink out", &[symlink("s", "../../etc/passwd")], "s: a link that leads out of the tarball"),
        with("symlink out of a folder", &[symlink("d/s", "../../x")], "d/s: a link that leads out of the tarball"),
        with("symlink to the root's parent", &[symlink("s", "..")], "s: a link that leads out of the tarball"),
        // Looks inside, ends outside: `d/up` is the root, and `..` of the root is not.
        with(
            "symlink through a symlink",
            &[symlink("d/up", ".."), symlink("d/out", "up/../../x")],
            "d/out: a link with .. behind",
        ),
        with("symlink to nothing", &[symlink("s", "")], "s: a link to nothing"),
        with("pax linkpath out", &[pax(&[("linkpath", "../x")]), symlink("s", "fine")], "s: a link that leads out"),
        with(
            "long link target out",
            &[long(b'K', "/etc/shadow"), symlink("s", "fine").magic(GNU)],
            "s: a link to an absolute",
        ),
        Row {
            what: "symlink out of the leading folder",
            bytes: tar_gz(&[folder("a.v1"), symlink("a.v1/s", "../x")]),
            fault: "a.v1/s: a link that leads out",
        },
        // RUSTSEC-2018-0002: a hard link to a file outside, then that file written again.
        with(
            "hard link out",
            &[hard_link("h", "/etc/passwd"), file("h", "x")],
            "h: a hard link to /etc/passwd, which is no file",
        ),
        with("hard link by ..", &[hard_link("h", "../../etc/passwd")], "h: a hard link to ../../etc/passwd"),
        with("hard link to a folder", &[folder("d"), hard_link("h", "d")], "h: a hard link to d, which is no file"),
        with(
            "hard link to what comes later",
            &[hard_link("h", "f"), file("f", "x")],
            "h: a hard link to f, which is no file",
        ),
        with("hard link to itself", &[hard_link("h", "h")], "h: a hard link to h, which is no file"),
        with(
            "hard link through a symlink",
            &[symlink("s", "d"), file("d/f", "x"), hard_link("h", "s/f")],
            "h: a hard link to s/f",
        ),
        with(
            "hard link with content",
            &[file("f", "x"), Entry { data: b"evil".to_vec(), ..hard_link("f2", "f").size(4) }],
            "f2: a folder or link that brings content",
        ),
    ]
}

fn kinds() -> Vec<Row> {
    let device = |kind| Entry::new(kind, "dev", b"");
    vec![
        with("character device", &[device(b'3')], "dev: a device file"),
        with("block device", &[device(b'4')], "dev: a device file"),
        with("named pipe", &[Entry::new(b'6', "pipe", b"")], "pipe: a named pipe"),
        with("unknown kind", &[Entry::new(b'Z', "z", b"")], "z: an entry of an unknown type (0x5a)"),
        with(
            "long name of no known format",
            &[Entry::new(b'L', "l", b"../x\0").magic([0; 8]), file("f", "")],
            "l: an entry of an unknown type",
        ),
        with("setuid", &[file("su", "x").mode(0o4755)], "su: mode 4755: setuid and setgid are not accepted"),
        with("setgid", &[file("sg", "x").mode(0o2755)], "sg: mode 2755: setuid and setgid are not accepted"),
        with(
            "mode that is no number",
            &[Entry { mode: b"rwxrwxr\0".to_vec(), ..file("f", "x") }],
            "f: its mode cannot be read",
        ),
        with("file over a folder", &[folder("d"), file("d", "x")], "d: stands in the tarball twice"),
        with("folder over a file", &[file("f", "x"), folder("f")], "f: stands in the tarball twice"),
        with("file below a file", &[file("f", "x"), file("f/g", "x")], "f/g: its folder is a file"),
        with(
            "folder with content",
            &[Entry { data: vec![b'x'; 512], ..folder("d").size(512) }],
            "d: a folder or link that brings",
        ),
        with("sparse in pax", &[pax(&[("GNU.sparse.major", "1")]), file("f", "x")], "f: a sparse file"),
        raw(
            "sparse of 8 GiB",
            with_block(&[install_sh()], &sparse(0o77_777_777_777)),
            "holes: the tarball unpacks to more than",
        ),
        raw("sparse of 1 MB", with_block(&[install_sh()], &sparse(1_000_000)), "holes: a sparse file"),
        with(
            "damaged pax record",
            &[Entry::new(b'x', "p", b"99 path=short\n"), file("f", "x")],
            "f: its extended header is damaged",
        ),
        // Case 07: a line feed inside of a value stays a control character.
        with("a line feed in a path", &[pax(&[("path", "a\nb")]), file("f", "x")], "a?b: a control character"),
        with("a line feed in a size", &[pax(&[("size", "1\n2")]), file("f", "x")], "f: its extended header is damaged"),
        with(
            "a line feed in a key",
            &[Entry::new(b'x', "p", b"8 a\nb=c\n"), file("f", "x")],
            "f: its extended header is damaged",
        ),
        with(
            "pax size that is no number",
            &[pax(&[("size", "-1")]), file("f", "x")],
            "f: its extended header is damaged",
        ),
    ]
}

fn structure() -> Vec<Row> {
    let good = tar(&[install_sh(), file("f", vec![7; 2000])]);
    let packed = gz(&good);
    let end = packed.len();
    let flipped = |at: usize| {
        let mut bytes = packed.clone();
        bytes[at] ^= 1;
        bytes
    };
    let pieces = |parts: &[&[u8]]| gz(&parts.concat());
    let gnu_size = [0x80, 0, 0, 0, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    vec![
        raw("empty file", Vec::new(), "truncated: the compressed data ends too early"),
        raw("a plain tar", good.clone(), "not a gzip file"),
        raw("an error page", b"<html>503 Service Unavailable</html>".to_vec(), "not a gzip file"),
        raw("zeros, as after power loss", vec![0; 4096], "not a gzip file"),
        raw("bad CRC behind a whole archive", flipped(end - 8), "damaged: the checksum at its end"),
        raw("bad length behind a whole archive", flipped(end - 4), "damaged: the length at its end"),
        raw("trailer cut off", packed[..end - 8].to_vec(), "truncated: the compressed data ends too early"),
        raw("cut in the middle", packed[..end / 2].to_vec(), "truncated: the compressed data ends too early"),
        raw("bytes behind the gzip data", [&packed[..], b"junk"].concat(), "other bytes follow its compressed data"),
        raw("gzip of no tar", gz(b"hello"), "not a tar archive, or damaged: "),
        raw("gzip of nothing", gz(b""), "truncated: the archive has no end mark"),
        raw("gzip of text in blocks", gz(&[b'x'; 2048]), "not a tar archive, or damaged: "),
        raw("no end mark", pieces(&[&good[..good.len() - 1024]]), "truncated: the archive has no end mark"),
        raw("cut inside a file", pieces(&[&good[..1600]]), "f: truncated: the archive ends in the middle of this file"),
        raw("cut inside a header", pieces(&[&good[..1300]]), "not a tar archive, or damaged: "),
        raw(
            "a second archive behind the first",
            pieces(&[&good, &tar(&[file("../evil", "x")])]),
            "data follows the end mark",
        ),
        raw(
            "bad header checksum",
            pieces(&[&{
                let mut b = good.clone();
                b[150] ^= 1;
                b
            }]),
            "not a tar archive, or damaged: ",
        ),
        with(
            "size beyond the end",
            &[file("big", "x").size(100_000)],
            "big: truncated: the archive ends in the middle",
        ),
        with(
            "size beyond the limit",
            &[file("big", "x").size(2 << 30)],
            "big: the tarball unpacks to more than 1073741824 bytes",
        ),
        with(
            "size beyond all numbers",
            &[file("big", "x").raw_size(&gnu_size)],
            "big: the tarball unpacks to more than",
        ),
        with(
            "size of the largest number",
            &[pax(&[("size", "18446744073709551615")]), file("big", "x")],
            "not a tar archive, or damaged: size overflow",
        ),
        with("size that is no number", &[file("f", "x").raw_size(b"abcdefghijk\0")], "not a tar archive, or damaged: "),
        with(
            "huge long name",
            &[Entry::new(b'L', "l", &vec![b'n'; 200_000]).magic(GNU), file("f", "")],
            "a header of more than 65536 bytes",
        ),
        with(
            "huge extended header",
            &[Entry::new(b'x', "x", &vec![b'n'; 200_000]), file("f", "")],
            "a header of more than 65536 bytes",
        ),
        with(
            "huge global header",
            &[Entry::new(b'g', "g", &vec![b'n'; 200_000]), file("f", "")],
            "a header of more than 65536 bytes",
        ),
        with("extended header without a file", &[pax(&[("path", "x")])], "not a tar archive, or damaged: "),
        with(
            "two long names for one file",
            &[long(b'L', "a"), long(b'L', "b"), file("f", "").magic(GNU)],
            "not a tar archive, or damaged: ",
        ),
    ]
}

fn parts() -> Vec<Row> {
    let script = |text: &str| file("install.sh", text).mode(0o755);
    let only = |what, entries: &[Entry], fault| Row { what, bytes: tar_gz(entries), fault };
    let mut slashed = install_sh();
    slashed.name = b"bin/install.sh".to_vec();
    vec![
        only("no entries", &[], "neither install.sh nor setup.py stands at its root"),
        only("no installer", &[file("readme", "x")], "neither install.sh nor setup.py stands at its root"),
        only("installer in a folder", &[slashed], "neither install.sh nor setup.py stands at its root"),
        only("no x bit", &[file("install.sh", "#!/bin/sh\n")], "install.sh: not executable: chmod +x install.sh"),
        only("no shebang", &[script("echo hello\n")], "install.sh: its first line is no shebang"),
        only("empty script", &[script("")], "install.sh: its first line is no shebang"),
        only(
            "DOS line ends",
            &[script("#!/bin/sh\r\nexit 0\r\n")],
            "install.sh: its first line ends with a carriage return",
        ),
        only(
            "DOS line ends behind the first line",
            &[script("#!/bin/sh\nset -e\r\nexit 0\r\n")],
            "install.sh: its lines end with carriage returns",
        ),
        only("a compiled installer", &[script("\x7fELF\x02\x01\x01")], "install.sh: a compiled program"),
        only(
            "the installer by a hard link",
            &[file("real.sh", "#!/bin/sh\n").mode(0o755), hard_link("install.sh", "real.sh")],
            "install.sh: must be a regular file",
        ),
        only("relative interpreter", &[script("#!bin/sh\n")], "install.sh: its first line names no absolute path"),
        only(
            "endless first line",
            &[script(&("#!/bin/".to_string() + &"x".repeat(400)))],
            "install.sh: its first line is longer",
        ),
        only(
            "script is a symlink",
            &[file("real.sh", "#!/bin/sh\n"), symlink("install.sh", "real.sh")],
            "install.sh: must be a regular file",
        ),
        only("script is a folder", &[folder("install.sh")], "install.sh: must be a regular file"),
        only("setup.py is a symlink", &[file("s", ""), symlink("setup.py", "s")], "setup.py: must be a regular file"),
        with(
            "conf is a symlink",
            &[file("c", ""), symlink("supervisor.conf", "c")],
            "supervisor.conf: must be a regular file",
        ),
        with(
            "conf too large",
            &[file("supervisor.conf", vec![b'#'; 70_000])],
            "supervisor.conf: larger than 65536 bytes",
        ),
        with(
            "conf is no text",
            &[file("supervisor.conf", b"[supervisord]\n\xff\xfe")],
            "supervisor.conf: not UTF-8 text",
        ),
        with("conf without its section", &[file("supervisor.conf", "[program:x]\ncommand=x\n")], "supervisor.conf: "),
    ]
}
