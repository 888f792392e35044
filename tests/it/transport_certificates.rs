//! Certificates that people make by hand for a server of their own, and what is said to them, whichever TLS library it is
//! (docs/spec/failures.md, "Doubtful inputs").

use gwe_tests::harness::{run, Gateway, Murano};
use gwe_tests::skip;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::time::Duration;

/// What a certificate is like.
#[derive(Clone, Copy, Debug)]
struct Made {
    what: &'static str,
    /// Trusted itself, or signed by a CA that is.
    is_self_signed: bool,
    is_ca: bool,
    /// Its name stands in subjectAltName, and not in the common name alone.
    has_names: bool,
    /// Words of the refusal; none: it is taken.
    refusal: Option<&'static str>,
}

const CERTIFICATES: [Made; 4] = [
    Made { what: "of a CA, as the documents say", is_self_signed: false, is_ca: false, has_names: true, refusal: None },
    Made { what: "its own issuer", is_self_signed: true, is_ca: false, has_names: true, refusal: None },
    Made {
        what: "its own issuer, and a CA",
        is_self_signed: true,
        is_ca: true,
        has_names: true,
        refusal: Some("the certificate is a CA's: have it sign one for the server"),
    },
    Made {
        what: "without subjectAltName",
        is_self_signed: false,
        is_ca: false,
        has_names: false,
        refusal: Some("the server's name must stand in the certificate's subjectAltName"),
    },
];

#[test]
fn what_is_made_by_hand_is_taken_or_refused_with_what_to_do() {
    for made in CERTIFICATES {
        let murano = Murano::with(|options| {
            options.tls_listen = Some("127.0.0.1:0".to_string());
            let folder = options.data.join("tls");
            std::fs::create_dir_all(&folder).unwrap();
            let [ca, chain, key] = make(made);
            for (name, text) in [("ca.pem", ca), ("server.pem", chain), ("server.key", key)] {
                std::fs::write(folder.join(name), text).unwrap();
            }
        });
        let gateway = Gateway::new();
        let bundle = format!("[engine]\ncacert = {}\n", murano.ca_certificate().display());
        gateway.root().write("etc/gwe/Engine.config", bundle);
        let mut command = gateway.command("gdc");
        command.args(["timestamp", "--server", &murano.tls_url().replace("127.0.0.1", "localhost")]);
        let ran = run(command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR"), Duration::from_secs(60));
        if ran.stderr.contains("built without TLS") {
            skip!("needs an agent with TLS");
        }
        match made.refusal {
            None => assert_eq!(ran.code, Some(0), "{}: {}", made.what, ran.report()),
            Some(words) => {
                assert!(ran.code == Some(1) && ran.stderr.contains(words), "{}: {}", made.what, ran.report())
            }
        }
    }
}

/// The trusted certificate, the server's, and its key.
fn make(made: Made) -> [String; 3] {
    let names = if made.has_names { vec!["localhost".to_string()] } else { Vec::new() };
    let mut server = CertificateParams::new(names).unwrap();
    server.distinguished_name.push(DnType::CommonName, "localhost");
    if made.is_ca {
        server.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    if made.is_self_signed {
        let pem = server.self_signed(&key).unwrap().pem();
        return [pem.clone(), pem, key.serialize_pem()];
    }
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "a CA of one's own");
    let ca_key = KeyPair::generate().unwrap();
    let pem = ca.self_signed(&ca_key).unwrap().pem();
    let signed = server.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    [pem, signed.pem(), key.serialize_pem()]
}
