//! Certificates made for the test, files swapped under a listener that was loaded from them.

use std::fs;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};

use super::certificate::Pem;
use super::choice::Certificates;
use super::*;
use crate::metrics::TlsGauges;

fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("vacpack-tls-{}-{name}", std::process::id()));
    fs::create_dir_all(&path).expect("the temporary directory is writable");
    path
}

/// Chain and key for these names.
fn made(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(names).expect("names").self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn write(directory: &Path, (chain, key): &(String, String)) {
    fs::write(directory.join("tls.crt"), chain).expect("written");
    fs::write(directory.join("tls.key"), key).expect("written");
}

fn config(certificates: &[&Path]) -> Config {
    Config {
        certificates: certificates.iter().map(|path| path.to_path_buf()).collect(),
        oldest: Version::Tls12,
        client_ca: None,
        h2: true,
    }
}

#[test]
fn the_name_decides_and_the_first_is_for_everybody_else() {
    let provider = rustls::crypto::ring::default_provider();
    let parse = |names: &[&str]| {
        let (chain, key) = made(names);
        Pem { chain: chain.into(), key: key.into() }.parse(&provider).expect("a certificate")
    };
    let (first, second) = (parse(&["shop.test", "*.shop.test"]), parse(&["www.shop.test", "SHOP.test"]));
    let keys = [first.key.clone(), second.key.clone()];
    let all = Certificates::new(first, vec![second]);
    for (name, which) in [
        ("shop.test", Some(0)),
        ("SHOP.TEST.", Some(0)),
        ("a.shop.test", Some(0)),
        ("www.shop.test", Some(1)),
        ("a.b.shop.test", None),
        ("test", None),
        ("", None),
    ] {
        let found = all.named(name).map(|key| keys.iter().position(|each| Arc::ptr_eq(each, key)));
        assert_eq!(found.flatten(), which, "{name}");
    }
}

#[test]
fn what_does_not_work_is_said_and_what_did_is_kept() {
    let directory = directory("kept");
    let (good, other) = (made(&["a.test"]), made(&["a.test"]));
    write(&directory, &good);
    let tls = Tls::load(config(&[&directory])).expect("a pair");
    assert!(matches!(tls.refresh(), Refreshed::Unchanged));
    fs::write(directory.join("tls.crt"), &other.0).expect("written");
    match tls.refresh() {
        Refreshed::Kept(error) => assert!(error.to_string().contains("belongs to another"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert!(!tls.is_current());
    assert!(matches!(tls.refresh(), Refreshed::Unchanged), "it is said once");
    fs::remove_file(directory.join("tls.key")).expect("removed");
    assert!(matches!(tls.refresh(), Refreshed::Kept(_)));
    write(&directory, &other);
    assert!(matches!(tls.refresh(), Refreshed::Replaced));
    assert!(tls.is_current() && tls.expires() > 0);
    write(&directory, &good);
    assert!(matches!(tls.refresh(), Refreshed::Replaced));
    let _left_behind = fs::remove_dir_all(directory);
}

#[test]
fn every_shape_of_files_is_read_and_every_fault_has_its_sentence() {
    let directory = directory("shapes");
    let (chain, key) = made(&["a.test"]);
    let file = |name: &str, content: &str| {
        let path = directory.join(name);
        fs::write(&path, content).expect("written");
        path
    };
    let both = file("both.pem", &format!("{chain}{key}"));
    let nothing = file("nothing.pem", "");
    let alone = file("alone.pem", &chain);
    let missing = directory.join("missing.pem");
    for (path, expected) in [
        (&both, None),
        (&directory, Some("neither tls.crt")),
        (&nothing, Some("no certificate")),
        (&alone, Some("no private key")),
        (&missing, Some("No such file")),
    ] {
        let loaded = Tls::load(config(&[path])).err().map(|error| error.to_string());
        match (&loaded, expected) {
            (None, None) => {}
            (Some(error), Some(part)) => {
                assert!(error.contains(part) && error.contains("listen.tls.certificates"), "{error}");
            }
            _ => panic!("{}: {loaded:?}", path.display()),
        }
    }
    file("fullchain.pem", &chain);
    file("privkey.pem", &key);
    assert!(Tls::load(config(&[&directory])).is_ok(), "certbot's names");
    let wrong = Config { client_ca: Some(nothing), ..config(&[&both]) };
    let error = Tls::load(wrong).err().expect("no authority").to_string();
    assert!(error.contains("listen.tls.client_ca"), "{error}");
    let _left_behind = fs::remove_dir_all(directory);
}
