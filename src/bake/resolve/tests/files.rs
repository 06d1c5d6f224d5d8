use sha2::{Digest as _, Sha512};

use super::*;
use crate::digest::hex;

const ICU: &str = "https://artifacts.elastic.co/downloads/elasticsearch-plugins/analysis-icu/analysis-icu-8.19.3.zip";
const SITE: &str = "https://artifacts.elastic.co/downloads/elasticsearch-plugins/native/native";

fn recipe(rest: &str) -> String {
    format!(
        "kind = \"image\"\nproduct = \"elasticsearch\"\nversion = \"8.19.3\"\nfrom = \"scratch\"\n\
         platforms = [\"linux/amd64\", \"linux/arm64\"]\n{rest}"
    )
}

fn sha512(bytes: &[u8]) -> String {
    hex(&Sha512::digest(bytes))
}

impl Fake {
    /// Puts a file on a site, with the checksum that Elastic publishes beside its own.
    fn publish(&mut self, url: &str, bytes: &[u8]) {
        let name = url.rsplit('/').next().unwrap();
        self.files.insert(format!("{url}.sha512"), format!("{}  {name}\n", sha512(bytes)).into_bytes());
        self.files.insert(url.to_owned(), bytes.to_vec());
    }
}

const PLUGIN: &str = "[[plugin]]\nname = \"analysis-icu\"\n";

#[test]
fn an_official_plugin_is_found_by_name_and_checked() {
    let mut fake = Fake::new();
    fake.publish(ICU, b"icu");
    let lock = fake.first(&recipe(PLUGIN));
    let [icu] = &lock.plugin[..] else { panic!("{lock:?}") };
    assert_eq!((icu.url.as_deref(), icu.sha256, icu.size), (Some(ICU), Digest::of(b"icu"), 3));
    assert_eq!(icu.published.as_ref().unwrap().to_string(), format!("sha512:{}", sha512(b"icu")));
    assert_eq!((icu.platform.as_ref(), icu.want.as_str()), (None, "elasticsearch:analysis-icu 8.19.3"));
    fake.asked();
    assert_eq!(fake.lock(&recipe(PLUGIN), Some(&lock), &Update::Nothing).unwrap(), lock);
    assert_eq!(fake.asked(), [""; 0]);
}

#[test]
fn an_official_plugin_without_a_checksum_that_holds_is_refused() {
    let mut fake = Fake::new();
    fake.files.insert(ICU.into(), b"icu".to_vec());
    assert!(fake.refusal(&recipe(PLUGIN)).contains("no `analysis-icu-8.19.3.zip.sha512` is published"));
    let given = recipe(&format!("{PLUGIN}checksum = \"{}\"\n", sha512(b"icu")));
    assert_eq!(fake.first(&given).plugin.len(), 1);
    fake.publish(ICU, b"other");
    fake.files.insert(ICU.into(), b"icu".to_vec());
    let error = fake.refusal(&recipe(PLUGIN));
    assert!(error.contains(&sha512(b"icu")) && error.contains(&sha512(b"other")), "{error}");
    assert!(error.contains("says its publisher"), "{error}");
    fake.files.insert(format!("{ICU}.sha512"), format!("{}  other.zip", sha512(b"icu")).into_bytes());
    assert!(fake.refusal(&recipe(PLUGIN)).contains("the checksum of `other.zip`, not of `analysis-icu-8.19.3.zip`"));
}

#[test]
fn a_plugin_with_native_code_has_a_file_for_each_platform() {
    let mut fake = Fake::new();
    let recipe = recipe("[[plugin]]\nname = \"native\"\n");
    let platforms = |lock: &Lock| -> Vec<(String, Digest)> {
        lock.plugin.iter().map(|file| (file.platform.as_ref().unwrap().to_string(), file.sha256)).collect()
    };
    fake.publish(&format!("{SITE}-linux-x86_64-8.19.3.zip"), b"intel");
    fake.publish(&format!("{SITE}-8.19.3.zip"), b"any");
    let mixed = [("linux/amd64".to_owned(), Digest::of(b"intel")), ("linux/arm64".to_owned(), Digest::of(b"any"))];
    assert_eq!(platforms(&fake.first(&recipe)), mixed);
    fake.publish(&format!("{SITE}-linux-aarch64-8.19.3.zip"), b"arm");
    let each = [mixed[0].clone(), ("linux/arm64".to_owned(), Digest::of(b"arm"))];
    assert_eq!(platforms(&fake.first(&recipe)), each);
    let one = fake.first(&recipe.replace(", \"linux/arm64\"", ""));
    fake.asked();
    assert_eq!(platforms(&fake.lock(&recipe, Some(&one), &Update::Nothing).unwrap()), each);
    assert!(fake.asked().iter().all(|url| url.contains("aarch64")), "what was pinned was asked for again");
}

#[test]
fn only_the_input_whose_request_changed_is_looked_for() {
    let mut fake = Fake::new();
    fake.publish(ICU, b"icu");
    fake.files.insert("https://example.com/a.tar".into(), b"a".to_vec());
    fake.files.insert("https://example.com/b.tar".into(), b"b".to_vec());
    let with = |url: &str| recipe(&format!("{PLUGIN}[[archive]]\nname = \"x\"\nurl = \"{url}\"\ninto = \"/opt\"\n"));
    let first = fake.first(&with("https://example.com/a.tar"));
    fake.asked();
    let second = fake.lock(&with("https://example.com/b.tar"), Some(&first), &Update::Nothing).unwrap();
    assert_eq!(fake.asked(), ["https://example.com/b.tar"]);
    assert_eq!((&second.plugin, second.archive[0].sha256), (&first.plugin, Digest::of(b"b")));
    let named = Update::Inputs(BTreeSet::from(["x".to_owned()]));
    fake.lock(&with("https://example.com/b.tar"), Some(&second), &named).unwrap();
    assert_eq!(fake.asked(), ["https://example.com/b.tar"]);
}

#[test]
fn a_checksum_of_the_recipe_has_to_hold() {
    let mut fake = Fake::new();
    fake.files.insert("https://example.com/a.tar".into(), b"a".to_vec());
    let with = |checksum: &str| {
        let archive = "[[archive]]\nname = \"x\"\nurl = \"https://example.com/a.tar\"\ninto = \"/opt\"\n";
        recipe(&format!("{archive}checksum = \"{checksum}\"\n"))
    };
    for right in [Digest::of(b"a").to_string(), sha512(b"a")] {
        assert!(fake.first(&with(&right)).archive[0].published.is_some());
    }
    for (wrong, got) in [
        (Digest::of(b"b").to_string(), Digest::of(b"a").to_string()),
        (format!("sha512:{}", sha512(b"b")), format!("sha512:{}", sha512(b"a"))),
    ] {
        let error = fake.refusal(&with(&wrong));
        assert!(error.contains(&wrong) && error.contains(&got) && error.contains("says the recipe"), "{error}");
    }
    assert!(fake.offline(&with(&Digest::of(b"a").to_string()), None).is_ok(), "bytes that are known and here");
}

#[test]
fn a_maven_artifact_comes_from_the_projects_repository() {
    let mut fake = Fake::new();
    let recipe = recipe("[[plugin]]\nname = \"x\"\nmaven = \"org.example:x:1\"\n");
    let url = "https://maven.example/org/example/x/1/x-1.zip";
    fake.files.insert(url.into(), b"x".to_vec());
    assert_eq!(fake.first(&recipe).plugin[0].published, None);
    let notes = std::mem::take(&mut *fake.notes.lock().unwrap());
    assert!(notes[0].contains("plugin x: no SHA-512 or SHA-256 checksum"), "{notes:?}");
    fake.files.insert(format!("{url}.sha256"), Digest::of(b"x").hex().into_bytes());
    assert_eq!(fake.first(&recipe).plugin[0].published.as_ref().unwrap().to_string(), Digest::of(b"x").to_string());
    let world = World { maven: None, ..fake.world() };
    let error = Fake::resolve(&recipe, None, &Update::Nothing, &world).unwrap_err().to_string();
    assert!(error.contains("names no Maven repository"), "{error}");
}

#[test]
fn kibana_has_its_own_site_and_others_have_none() {
    let mut fake = Fake::new();
    let url = "https://artifacts.elastic.co/downloads/kibana-plugins/x/x-8.19.3.zip";
    fake.files.insert(url.into(), b"x".to_vec());
    let kibana = recipe("[[plugin]]\nname = \"x\"\n").replace("\"elasticsearch\"", "\"kibana\"");
    assert_eq!(fake.first(&kibana).plugin[0].url.as_deref(), Some(url));
    let beat = kibana.replace("\"kibana\"", "\"filebeat\"");
    assert!(fake.refusal(&beat).contains("plugin x: the recipe does not say where it comes from"));
    let odd = recipe("[[plugin]]\nname = \"../x\"\n");
    assert!(fake.refusal(&odd).contains("no name of an official plugin"));
}

#[test]
fn two_archives_of_one_name_share_the_platforms() {
    let mut fake = Fake::new();
    let mut text = String::new();
    for (machine, platform) in [("x", "linux/amd64"), ("y", "linux/arm64")] {
        let url = format!("https://example.com/{machine}.tar");
        fake.files.insert(url.clone(), machine.into());
        text = format!(
            "{text}[[archive]]\nname = \"a\"\nurl = \"{url}\"\ninto = \"/opt\"\nplatforms = [\"{platform}\"]\n"
        );
    }
    let lock = fake.first(&recipe(&text));
    let found: Vec<_> =
        lock.archive.iter().map(|file| (file.platform.clone().unwrap().to_string(), file.sha256)).collect();
    assert_eq!(found, [("linux/amd64".into(), Digest::of(b"x")), ("linux/arm64".into(), Digest::of(b"y"))]);
    assert_eq!(fake.offline(&recipe(&text), Some(&lock)).unwrap(), lock);
}

#[test]
fn what_stood_for_all_platforms_stands_for_its_own_when_another_joins_it() {
    let mut fake = Fake::new();
    for name in ["x", "y"] {
        fake.files.insert(format!("https://example.com/{name}.tar"), name.into());
    }
    let archive = |name: &str, platforms: &str| {
        format!("[[archive]]\nname = \"a\"\nurl = \"https://example.com/{name}.tar\"\ninto = \"/opt\"\n{platforms}\n")
    };
    let first = fake.first(&recipe(&archive("x", "")));
    assert_eq!(first.archive[0].platform, None);
    let both = archive("x", "platforms = [\"linux/amd64\"]") + &archive("y", "platforms = [\"linux/arm64\"]");
    let second = fake.lock(&recipe(&both), Some(&first), &Update::Nothing).unwrap();
    let found: Vec<_> =
        second.archive.iter().map(|file| (file.platform.clone().unwrap().to_string(), file.sha256)).collect();
    assert_eq!(found, [("linux/amd64".into(), Digest::of(b"x")), ("linux/arm64".into(), Digest::of(b"y"))]);
}

#[test]
fn a_maven_artifact_that_is_not_unpacked_is_another_file() {
    let mut fake = Fake::new();
    for kind in ["zip", "jar"] {
        fake.files.insert(format!("https://maven.example/org/example/x/1/x-1.{kind}"), kind.into());
    }
    let archive = |unpack: &str| {
        recipe(&format!("[[archive]]\nname = \"a\"\nmaven = \"org.example:x:1\"\ninto = \"/opt/x\"\n{unpack}\n"))
    };
    let first = fake.first(&archive(""));
    assert_eq!(first.archive[0].sha256, Digest::of(b"zip"));
    let second = fake.lock(&archive("unpack = false"), Some(&first), &Update::Nothing).unwrap();
    assert_eq!(second.archive[0].sha256, Digest::of(b"jar"));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let fake = Fake::new();
    let text = recipe(&format!("{PLUGIN}[[archive]]\nname = \"x\"\npath = \"none.tar\"\ninto = \"/opt\"\n"))
        .replace("\"scratch\"", "\"a.example/a:1\"");
    let error = fake.refusal(&text);
    let lines: Vec<_> = error.lines().map(|line| line.split(": ").next().unwrap().trim()).collect();
    assert_eq!(lines, ["recipe es cannot be locked:", "base", "plugin analysis-icu", "archive x"]);
}
