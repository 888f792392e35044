//! Signatures from outside: signed tarballs, a gateway that trusts a key (docs/decisions.md, "Signed if told so"), and everything that must not get in.
//! docs/security.md says what this protects.

use gwe_tests::harness::{has_minisign, murano_binary, run, Scratch, Signer, Site, Tarball, PATIENCE, SN};
use gwe_tests::skip;
use std::env;
use std::fs;
use std::process::Command;

/// A gateway that trusts the signer.
fn site_trusting(signer: &Signer) -> Site {
    let site = Site::new();
    site.gateway.root().write("etc/gwe/trusted/oem.pub", fs::read(signer.public_key()).expect("the key is there"));
    site
}

/// Uploads content and signature, orders, checks in: `fetch_status`.
fn deploy(site: &Site, name: &str, bytes: &[u8], signature: Option<&[u8]>) -> String {
    site.murano.upload(name, bytes);
    if let Some(signature) = signature {
        site.murano.upload(&format!("{name}.minisig"), signature);
    }
    site.order(&[name]);
    site.check_in();
    site.fetch_status()
}

/// docs/spec/failures.md, F9.
#[test]
fn with_signatures_required_nothing_unsigned_gets_in_and_no_key_is_told() {
    let (signer, tarball) = (Signer::new(), Tarball::app("echo installed").bytes());
    let mut site = Site::new();
    // As today: it is taken, and the log says that nobody looked.
    site.upload("a.v0.tar.gz", &Tarball::app("echo installed"));
    site.order(&["a.v0.tar.gz"]);
    let log = site.check_in().ok().stderr;
    assert!(log.contains("a.v0.tar.gz: not signed, or nobody can tell: this gateway trusts no key"), "{log}");
    assert_eq!(site.fetch_status(), "installed\n[gwe] installed a v0 in N s\n");

    site.set("install", "require_signatures", "yes");
    let told = site.gateway.gwe(&["--check-config"]).exited(1).stdout;
    assert!(told.starts_with("require_signatures: no key in ") && told.contains("no package is accepted"), "{told}");
    assert!(site.gateway.gwe(&["--status"]).ok().stdout.contains("no package is accepted: no trusted key can be used"));
    assert!(deploy(&site, "a.v1.tar.gz", &tarball, None).contains("it is not signed"));
    let signature = signer.sign("a.v2.tar.gz", &tarball, None);
    assert!(deploy(&site, "a.v2.tar.gz", &tarball, Some(&signature)).starts_with("[gwe] failed a v2: "));
    let file = site.gateway.root().path("a.v3.tar.gz");
    fs::write(&file, &tarball).unwrap();
    site.gateway.gwe(&["--install-apps", file.to_str().unwrap()]).exited(1);

    site.gateway.root().write("etc/gwe/trusted/oem.pub", fs::read(signer.public_key()).expect("the key is there"));
    assert_eq!(site.gateway.gwe(&["--check-config"]).ok().stdout, "[PASS]\n");
    let signature = signer.sign("a.v4.tar.gz", &tarball, None);
    assert_eq!(deploy(&site, "a.v4.tar.gz", &tarball, Some(&signature)), "installed\n[gwe] installed a v4 in N s\n");
    // The folder's file system is away: what was required stays required.
    fs::remove_dir_all(site.gateway.root().path("etc/gwe/trusted")).unwrap();
    assert!(deploy(&site, "a.v5.tar.gz", &tarball, None).contains("it is not signed"));
}

#[test]
fn only_what_a_trusted_key_signed_under_that_name_gets_in() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let site = site_trusting(&signer);
    let status = site.gateway.gwe(&["--status"]).ok().stdout;
    assert!(status.contains("only signed packages are accepted") && status.contains("oem.pub"), "{status}");

    let tarball = Tarball::app("echo installed").bytes();
    let other = Tarball::app("echo something else").bytes();
    let good = |name: &str| signer.sign(name, &tarball, None);
    // Name, content, signature, and why it does not get in.
    type Row<'a> = (&'a str, &'a [u8], Option<Vec<u8>>, &'a str);
    let rows: [Row<'_>; 7] = [
        ("a.v1.tar.gz", &tarball, None, "it is not signed: there is no a.v1.tar.gz.minisig"),
        ("a.v2.tar.gz", &tarball, Some(stranger.sign("a.v2.tar.gz", &tarball, None)), "which is not trusted"),
        ("a.v3.tar.gz", &other, Some(good("a.v3.tar.gz")), "its signature is not good"),
        ("a.v4.tar.gz", &tarball, Some(good("b.v4.tar.gz")), "its signature is for another file, b.v4.tar.gz"),
        (
            "a.v5.tar.gz",
            &tarball,
            Some(signer.sign("a.v5.tar.gz", &tarball, Some("my release"))),
            "does not say which file it is for",
        ),
        ("a.v6.tar.gz", &tarball, Some(b"untrusted comment: x\nnonsense\n".to_vec()), "is no minisign signature"),
        ("a.v7.tar.gz", &tarball, Some(vec![b'x'; 5000]), "signature"),
    ];
    for (name, bytes, signature, reason) in rows {
        let status = deploy(&site, name, bytes, signature.as_deref());
        let version = name.trim_start_matches("a.").trim_end_matches(".tar.gz");
        assert!(status.starts_with(&format!("[gwe] failed a {version}: ")), "{name}: {status}");
        assert!(status.contains(reason) && status.lines().count() == 1, "{name}: {status}");
    }
    let tree = site.tree();
    assert!(
        !tree.iter().any(|path| path.contains("tar.gz") || path.contains("/apps/")),
        "nothing of it is left: {tree:?}"
    );

    let status = deploy(&site, "a.v8.tar.gz", &tarball, Some(&good("a.v8.tar.gz")));
    assert_eq!(status, "installed\n[gwe] installed a v8 in N s\n");
}

#[test]
fn an_older_signature_is_no_way_back() {
    // pithead#856: a signed downgrade.
    let signer = Signer::new();
    let site = site_trusting(&signer);
    let tarball = Tarball::app("echo installed").bytes();
    let at =
        |name: &str, time: u64| signer.sign(name, &tarball, Some(&format!("timestamp:{time}\tfile:{name}\thashed")));
    let status = deploy(&site, "a.v2.tar.gz", &tarball, Some(&at("a.v2.tar.gz", 2_000)));
    assert!(status.contains("[gwe] installed a v2"), "{status}");
    let status = deploy(&site, "a.v1.tar.gz", &tarball, Some(&at("a.v1.tar.gz", 1_999)));
    assert_eq!(status, "[gwe] failed a v1: its signature is older than that of the installed version\n");
    // Going back on purpose is signing the old version anew.
    let status = deploy(&site, "a.v1.tar.gz", &tarball, Some(&at("a.v1.tar.gz", 2_001)));
    assert!(status.contains("[gwe] installed a v1"), "{status}");
    // Another app has a history of its own.
    let status = deploy(&site, "b.v1.tar.gz", &tarball, Some(&at("b.v1.tar.gz", 1)));
    assert!(status.contains("[gwe] installed b v1"), "{status}");
}

#[test]
fn a_signature_that_comes_later_is_taken_then() {
    let signer = Signer::new();
    let site = site_trusting(&signer);
    let tarball = Tarball::app("echo installed").bytes();
    assert!(deploy(&site, "a.v1.tar.gz", &tarball, None).contains("it is not signed"));
    let status = deploy(&site, "a.v1.tar.gz", &tarball, Some(&signer.sign("a.v1.tar.gz", &tarball, None)));
    assert_eq!(status, "installed\n[gwe] installed a v1 in N s\n", "nothing was held against the tarball");
}

#[test]
fn a_signature_that_no_damage_explains_costs_no_second_download() {
    // A download that was resumed may have a torn part, and is then fetched anew once; a key that is not trusted stays so.
    let (signer, stranger) = (Signer::new(), Signer::new());
    let site = site_trusting(&signer);
    let mut state = 1_u32;
    let step = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise: Vec<u8> = std::iter::repeat_with(step).take(400_000).collect();
    let tarball = Tarball::app("true").file("noise", 0o644, noise).bytes();
    site.check_in().ok();
    site.murano.faults(&["download:drop=body+200000,fin*1"]);
    site.murano.forget_requests();
    let status = deploy(&site, "a.v1.tar.gz", &tarball, Some(&stranger.sign("a.v1.tar.gz", &tarball, None)));
    assert!(status.contains("which is not trusted"), "{status}");
    let sent = site.murano.requests()["totals"]["response_bytes"].as_u64().expect("a number");
    assert!(sent < tarball.len() as u64 * 11 / 10, "{sent} bytes for {}", tarball.len());
}

#[test]
fn a_folder_of_keys_that_cannot_be_used_lets_nothing_in() {
    let site = Site::new();
    site.gateway.root().write("etc/gwe/trusted/oem.pub", "no key at all\n");
    let status = deploy(&site, "a.v1.tar.gz", &Tarball::app("echo installed").bytes(), None);
    assert!(status.starts_with("[gwe] failed a v1: "), "{status}");
    let status = site.gateway.gwe(&["--status"]).ok().stdout;
    assert!(status.contains("no package is accepted"), "{status}");
    // It is not for the field to find out, nor that the second of two cannot be used.
    let good = fs::read(Signer::new().public_key()).unwrap();
    for (name, bytes, why) in
        [("good.pub", good, "oem.pub: is no minisign public key"), ("oem.key", Vec::new(), "oem.key: is no *.pub")]
    {
        site.gateway.root().write(&format!("etc/gwe/trusted/{name}"), bytes);
        let told = site.gateway.gwe(&["--check-config"]).exited(1).stdout;
        assert!(told.contains(&format!("etc/gwe/trusted: {why}\n")), "{told}");
    }
}

#[test]
fn installs_from_disk_need_their_signature_beside_them_and_the_images_own_apps_do_not() {
    let signer = Signer::new();
    let site = site_trusting(&signer);
    let tarball = Tarball::app("echo installed").bytes();
    let file = signer.folder().write("a.v1.tar.gz", &tarball);
    let file = file.to_str().expect("a plain path");
    let refused = site.gateway.gwe(&["-I", file]).exited(1);
    assert!(refused.stdout.contains("it is not signed"), "{}", refused.report());
    signer.sign("a.v1.tar.gz", &tarball, None);
    let done = site.gateway.gwe(&["-I", file]).ok();
    assert!(done.stdout.contains("[gwe] installed a v1"), "{}", done.report());

    site.gateway.root().write("usr/share/gwe/apps_to_install/factory.v1.tar.gz", &tarball);
    site.check_in();
    assert!(site.fetch_status().contains("[gwe] installed factory v1"), "{}", site.fetch_status());
}

#[test]
fn the_commands_of_the_document_make_a_signed_release_that_is_installed() {
    let document = include_str!("../../docs/security.md");
    let (plain, aging) = document.split_once("\n## Keys that age\n").expect("a heading");
    if !has_minisign() {
        skip!("needs minisign");
    }
    let folder = Scratch::new();
    let site = Site::new();
    Tarball::app("echo installed").save(folder.path("my_app.v1.0.0.tar.gz"));
    run_blocks(plain, &folder, &site);
    site.gateway.root().write("etc/gwe/trusted/oem.pub", folder.read("oem.pub"));
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "installed\n[gwe] installed my_app v1.0.0 in N s\n");

    run_blocks(aging, &folder, &site);
    fs::remove_file(site.gateway.root().path("etc/gwe/trusted/oem.pub")).unwrap();
    site.gateway.root().write("etc/gwe/trusted-root/root.pub", folder.read("root.pub"));
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] installed gwe-keys v1 in N s\n");
    let keys = site.gateway.gwe(&["--status"]).ok().stdout;
    assert!(keys.contains("from 2025-01-01, until 2099-12-31") && keys.contains("00000000000000AA, revoked"), "{keys}");
}

/// A document's commands, as who reads it types them.
fn run_blocks(text: &str, folder: &Scratch, site: &Site) {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let script = blocks.collect::<Vec<_>>().join("\n");
    let own = murano_binary().parent().expect("it is in a folder").to_path_buf();
    let path = env::join_paths(std::iter::once(own).chain(env::split_paths(&env::var_os("PATH").expect("a PATH"))));
    let mut shell = Command::new("sh");
    shell.args(["-eux", "-c", &script]).current_dir(folder.root());
    shell.env("PATH", path.expect("no colon in it")).env("MURANO_URL", site.murano.url()).env("SERIAL", SN);
    run(&mut shell, PATIENCE).ok();
}
