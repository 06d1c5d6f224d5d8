use sha2::{Digest as _, Sha256, Sha512};

use crate::digest::hex;
use crate::unpack::fixture::{Member, TarFile, gz, listing};
use crate::unpack::{Gem, Limits, UnpackError, gem};

const METADATA: &str = "--- !ruby/object:Gem::Specification\nname: logstash-input-x\n";

fn data() -> Vec<u8> {
    gz(&TarFile::of(&[Member::file("lib/x.rb", "puts 1"), Member::file("bin/x", "#!").mode(0o755)]).end())
}

fn sums(metadata: &[u8], data: &[u8]) -> Vec<u8> {
    let part = |name: &str, sum: String| format!("  {name}: {sum}\n");
    let mut text = "---\nSHA256:\n".to_owned();
    text += &part("metadata.gz", hex(&Sha256::digest(metadata)));
    text += &part("data.tar.gz", hex(&Sha256::digest(data)));
    text += "SHA512:\n";
    text += &part("metadata.gz", hex(&Sha512::digest(metadata)));
    text += &part("data.tar.gz", hex(&Sha512::digest(data)));
    gz(text.as_bytes())
}

fn read(members: &[Member]) -> Result<Gem, UnpackError> {
    let bytes = TarFile::of(members).end();
    gem("x.gem", &bytes[..], tempfile::tempfile().unwrap(), &Limits::default())
}

fn error(members: &[Member]) -> String {
    let error = read(members).unwrap_err();
    assert!(matches!(&error, UnpackError::Refused { help, .. } if !help.is_empty()), "{error:?}");
    error.to_string()
}

fn metadata() -> Member {
    Member::file("metadata.gz", gz(METADATA.as_bytes()))
}

#[test]
fn a_gem_tells_what_it_is_and_gives_its_files() {
    let checksums = sums(&gz(METADATA.as_bytes()), &data());
    for members in [
        vec![metadata(), Member::file("data.tar.gz", data()), Member::file("checksums.yaml.gz", checksums.clone())],
        vec![Member::file("checksums.yaml.gz", checksums), Member::file("data.tar.gz", data()), metadata()],
        vec![metadata(), Member::file("data.tar.gz", data()), Member::file("data.tar.gz.sig", "signed")],
    ] {
        let gem = read(&members).unwrap();
        assert_eq!(gem.metadata, METADATA);
        assert_eq!(listing(&gem.unpacked), ["0755 /bin/", "0755 /bin/x #!", "0755 /lib/", "0644 /lib/x.rb puts 1"]);
    }
}

#[test]
fn a_gem_that_is_not_what_its_checksums_say_is_refused() {
    let checksums = |metadata: &[u8], data: &[u8]| Member::file("checksums.yaml.gz", sums(metadata, data));
    let data_member = || Member::file("data.tar.gz", data());
    let text = error(&[metadata(), data_member(), checksums(&gz(METADATA.as_bytes()), b"other")]);
    assert!(text.starts_with("x.gem: data.tar.gz: should have the SHA256 "), "{text}");
    let text = error(&[checksums(b"other", &data()), metadata(), data_member()]);
    assert!(text.starts_with("x.gem: metadata.gz: should have the SHA256 "), "{text}");
    let only_old = Member::file("checksums.yaml.gz", gz(b"---\nSHA1:\n  metadata.gz: aa\n  data.tar.gz: bb\n"));
    assert!(error(&[metadata(), data_member(), only_old]).starts_with("x.gem: metadata.gz: has no SHA-256"));
    let wrong = Member::file("checksums.yaml", "what?");
    assert!(error(&[metadata(), data_member(), wrong]).starts_with("x.gem: checksums.yaml: has a line that is no"));
    let two = [Member::file("checksums.yaml", "---"), Member::file("checksums.yaml.gz", gz(b"---"))];
    assert!(error(&two).starts_with("x.gem: checksums.yaml.gz: is a second list"));
}

#[test]
fn what_is_no_gem_is_refused() {
    let evil = |member: Member| Member::file("data.tar.gz", gz(&TarFile::of(&[member]).end()));
    for (members, why) in [
        (vec![metadata()], "x.gem: is no gem: it holds no `data.tar.gz`"),
        (vec![Member::file("data.tar.gz", data())], "x.gem: is no gem: it holds no `metadata.gz`"),
        (vec![metadata(), metadata()], "x.gem: metadata.gz: is in the gem twice"),
        (vec![Member::file("README", "")], "x.gem: README: does not belong into a gem"),
        (vec![Member::link("metadata.gz", "x")], "x.gem: metadata.gz: is no file"),
        (vec![Member::file("metadata.gz", "no gzip at all")], "x.gem: metadata.gz: is damaged: invalid gzip header"),
        (vec![Member::file("metadata.gz", gz(b"\xff"))], "x.gem: metadata.gz: is not UTF-8"),
        (vec![Member::file("metadata.gz", gz(&vec![b'x'; (16 << 20) + 1]))], "x.gem: metadata.gz: has more than"),
        (vec![evil(Member::file("../x", ""))], "x.gem: ../x: has a `..` in its name"),
        (vec![evil(Member::link("l", "/etc/passwd"))], "x.gem: l: is a link to /etc/passwd, which leads out"),
        (vec![evil(Member::new(b'3', "null"))], "x.gem: null: is a device"),
    ] {
        let text = error(&members);
        assert!(text.starts_with(why), "{text}");
    }
    let whole = TarFile::of(&[metadata(), Member::file("data.tar.gz", data())]).end();
    for cut in (0..whole.len() - 1024).step_by(97) {
        assert!(gem("x.gem", &whole[..cut], tempfile::tempfile().unwrap(), &Limits::default()).is_err(), "{cut}");
    }
}
