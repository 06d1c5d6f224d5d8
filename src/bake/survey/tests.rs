use std::path::Path;

use super::*;
use crate::bake::base::tests::{Fake, GZIP, from};
use crate::bake::event::Listener;
use crate::image::scan::fixture::{Tarball, gzip};
use crate::lock::{FORMAT, LockedBase};
use crate::recipe::{self, Compression, Recipe};

const ES: &str = "kind = \"image\"\nproduct = \"elasticsearch\"\nversion = \"8.19.3\"\nfrom = \"a.example/es:8\"\n\
    remove = [\"/usr/share/elasticsearch/README\"]\n\
    [[plugin]]\nname = \"discovery-ec2\"\n\
    [[archive]]\nname = \"agent\"\npath = \"agent.tar\"\ninto = \"/opt/agent\"\n";

const GENERIC: &str = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"a.example/es:8\"\n";

/// A recipe with files of its own.
struct Kitchen {
    name: RecipeName,
    image: ImageRecipe,
    local: Local,
}

fn kitchen(text: &str, files: &[&str]) -> Kitchen {
    let recipe = recipe::parse(Path::new("r.toml"), text).unwrap_or_else(|error| panic!("{error}")).value;
    let Recipe::Image(image) = recipe else { panic!("no image") };
    let mut local = Local::default();
    for file in files {
        let path: ImagePath = file.parse().unwrap();
        local.tree.insert(path.clone(), some(Node::File { digest: Digest::of(b"own"), size: 3 }));
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            above = folder.parent();
            local.tree.insert(folder, some(Node::Folder));
        }
    }
    Kitchen { name: "r".parse().unwrap(), image: *image, local }
}

impl Kitchen {
    fn survey(
        &self,
        platform: &LockedPlatform,
        earlier: Option<&Lock>,
        world: &World<'_>,
    ) -> Result<Lock, ResolveError> {
        Survey { name: &self.name, image: &self.image, local: &self.local, earlier, root: None }
            .add(lock(platform), world)
    }
}

fn lock(platform: &LockedPlatform) -> Lock {
    let base =
        LockedBase { from: from().to_string(), digest: None, platform: vec![platform.clone()], below: Vec::new() };
    Lock { format: FORMAT, base: Some(base), plugin: Vec::new(), archive: Vec::new(), ami: Vec::new() }
}

fn platform(lock: &Lock) -> &LockedPlatform {
    &lock.base.as_ref().unwrap().platform[0]
}

/// An Elasticsearch that says of itself, by a label, that it is another.
fn elasticsearch(fake: &mut Fake) -> LockedPlatform {
    let home = "usr/share/elasticsearch";
    let system = Tarball::new()
        .folder("usr")
        .folder("usr/share")
        .folder("usr/bin")
        .link("bin", "usr/bin")
        .file("usr/bin/sh", "sh");
    let program = Tarball::new()
        .entry(b'5', home.as_bytes(), b"", 0o775, b"")
        .entry(b'5', format!("{home}/config").as_bytes(), b"", 0o775, b"")
        .entry(b'5', format!("{home}/plugins").as_bytes(), b"", 0o775, b"")
        .file(&format!("{home}/config/elasticsearch.yml"), "a: b")
        .file(&format!("{home}/README"), "read me")
        .file(&format!("{home}/lib/elasticsearch-8.19.3.jar"), "jar")
        .file(&format!("{home}/jdk/release"), "JAVA_VERSION=\"21.0.2\"\n")
        .file(&format!("{home}/modules/repository-s3/s3.jar"), "s3");
    let [system, program] = [system, program].map(Tarball::end);
    let locked = fake.serve(&[(GZIP, system.clone(), gzip(&system)), (GZIP, program.clone(), gzip(&program))]);
    LockedPlatform { product_version: Some("8.18.0".into()), java_version: Some("jdk-17".into()), ..locked }
}

const FILES: [&str; 3] = ["/bin/tool", "/usr/share/elasticsearch/config/elasticsearch.yml", "/srv/new/file"];

fn lines(lock: &Lock) -> Vec<String> {
    platform(lock).there.iter().map(|(path, found)| format!("{path} {found}")).collect()
}

#[test]
fn a_lock_tells_what_is_really_in_a_base_and_where_the_recipe_meets_it() {
    let mut fake = Fake::new();
    let locked = elasticsearch(&mut fake);
    let lock = kitchen(ES, &FILES).survey(&locked, None, &fake.world()).unwrap();
    let seen = platform(&lock);
    assert_eq!((seen.product_version.as_deref(), seen.java_version.as_deref()), (Some("8.19.3"), Some("21.0.2")));
    assert_eq!(seen.modules.iter().collect::<Vec<_>>(), ["repository-s3"]);
    assert_eq!(seen.read_for, Some(Product::Elasticsearch));
    let file = |bytes: &str| format!("file 0644 1000:0 {} {}", bytes.len(), Digest::of(bytes.as_bytes()));
    let expected = [
        "/bin link 0777 1000:0 usr/bin".to_owned(),
        "/opt nothing".to_owned(),
        "/srv nothing".to_owned(),
        "/usr folder 0755 1000:0".to_owned(),
        "/usr/bin folder 0755 1000:0".to_owned(),
        "/usr/bin/tool nothing".to_owned(),
        "/usr/share folder 0755 1000:0".to_owned(),
        "/usr/share/elasticsearch folder 0775 1000:0".to_owned(),
        format!("/usr/share/elasticsearch/README {}", file("read me")),
        "/usr/share/elasticsearch/bin nothing".to_owned(),
        "/usr/share/elasticsearch/config folder 0775 1000:0".to_owned(),
        "/usr/share/elasticsearch/config/discovery-ec2 nothing".to_owned(),
        format!("/usr/share/elasticsearch/config/elasticsearch.yml {}", file("a: b")),
        "/usr/share/elasticsearch/plugins folder 0775 1000:0".to_owned(),
        "/usr/share/elasticsearch/plugins/discovery-ec2 nothing".to_owned(),
    ];
    assert_eq!(lines(&lock), expected);
    let text = lock.write().unwrap();
    assert_eq!(crate::lock::parse(Path::new("r.lock"), &text).unwrap().value, lock, "{text}");
}

#[test]
fn what_a_lock_knows_is_not_read_again_and_a_build_of_files_needs_no_layer() {
    let mut fake = Fake::new();
    let locked = elasticsearch(&mut fake);
    let kitchen = kitchen(ES, &FILES);
    let first = kitchen.survey(&locked, None, &fake.world()).unwrap();

    let fresh = Fake::new();
    let nowhere = World { registry: None, ..fresh.world() };
    assert_eq!(kitchen.survey(&locked, Some(&first), &nowhere).unwrap(), first, "pinned anew, the same base");
    assert_eq!(kitchen.survey(platform(&first), None, &nowhere).unwrap(), first, "kept as it was");

    // With its configuration and nothing else of the base, a build is told all that it asks.
    let real = Base::locked(&from(), Compression::Gzip, &locked, &fake.world(), &|_, _| false).unwrap();
    fresh.store.put(&mut real.config().unwrap(), None).unwrap();
    let base = Base::locked(&from(), Compression::Gzip, platform(&first), &nowhere, &|_, _| false).unwrap();
    let wish = |below: &dyn Below| {
        let wish = Wish { tree: &kitchen.local.tree, said: &kitchen.local.said, removed: &kitchen.image.remove };
        settle(wish, below).unwrap()
    };
    assert_eq!(wish(&base), wish(&real));
    assert!(base.entry(&"/etc/passwd".parse().unwrap()).is_err(), "what it does not know, it does not make up");
}

#[test]
fn what_a_lock_does_not_know_yet_is_read() {
    let mut fake = Fake::new();
    let locked = elasticsearch(&mut fake);
    let first = kitchen(ES, &FILES).survey(&locked, None, &fake.world()).unwrap();
    fake.asked();
    let more =
        kitchen(ES, &["/usr/share/elasticsearch/lib/more.jar"]).survey(&locked, Some(&first), &fake.world()).unwrap();
    assert!(fake.asked().is_empty(), "the store knows what is in the layers");
    assert!(lines(&more).iter().any(|line| line == "/usr/share/elasticsearch/lib folder 0755 0:0"));
    assert!(!lines(&more).iter().any(|line| line.starts_with("/srv")), "what is not asked any more is left out");
    let fewer = kitchen(GENERIC, &["/srv/x"]).survey(&locked, Some(&more), &fake.world()).unwrap();
    assert_eq!((lines(&fewer), platform(&fewer).read_for), (vec!["/srv nothing".to_owned()], None));
}

#[test]
fn without_the_layers_a_lock_says_what_it_said() {
    let mut fake = Fake::new();
    let locked = elasticsearch(&mut fake);
    let notes = Mutex::new(Vec::new());
    let tell: Listener<'_> = &|event| {
        if let Event::Note(note) = event {
            notes.lock().unwrap().push(note.to_owned());
        }
    };
    let offline = World { registry: None, tell, ..fake.world() };
    let kitchen = kitchen(ES, &FILES);
    assert_eq!(kitchen.survey(&locked, None, &offline).unwrap(), lock(&locked));
    assert!(notes.lock().unwrap()[0].contains("the layers of a.example/es:8 for linux/amd64 are not at hand"));
    let known = kitchen.survey(&locked, None, &fake.world()).unwrap();
    let other = Fake::new();
    let offline = World { registry: None, ..other.world() };
    let more = super::tests::kitchen(ES, &["/etc/more"]).survey(&locked, Some(&known), &offline).unwrap();
    assert_eq!(more, known, "facts that are too few are better than none");
}

#[test]
fn nothing_is_fetched_for_a_recipe_that_meets_nothing() {
    let mut fake = Fake::new();
    let locked = elasticsearch(&mut fake);
    kitchen(GENERIC, &[]).survey(&locked, None, &fake.world()).unwrap();
    assert!(fake.asked().iter().all(|asked| !locked.layer.iter().any(|layer| layer.digest == *asked)));
}

#[test]
fn a_base_that_lies_is_refused_when_it_is_locked() {
    let mut fake = Fake::new();
    let (said, is) = (Tarball::new().file("a", "1").end(), Tarball::new().file("a", "2").end());
    let locked = fake.serve(&[(GZIP, said, gzip(&is))]);
    let error = kitchen(GENERIC, &["/a"]).survey(&locked, None, &fake.world()).unwrap_err();
    let ResolveError::Inputs { faults, .. } = &error else { panic!("{error}") };
    assert!(
        matches!(faults[0].fault, Fault::Wrong { .. }) && error.to_string().contains("base: a.example/es:8"),
        "{error}"
    );
}

#[test]
fn what_a_lock_says_and_the_base_has_not_is_doubted() {
    let mut fake = Fake::new();
    let locked = elasticsearch(&mut fake);
    let kitchen = kitchen(ES, &FILES);
    let world = fake.world();
    let right = kitchen.survey(&locked, None, &world).unwrap();
    let survey =
        Survey { name: &kitchen.name, image: &kitchen.image, local: &kitchen.local, earlier: None, root: None };
    let doubt = |lie: &dyn Fn(&mut LockedPlatform)| {
        let mut lock = right.clone();
        lie(&mut lock.base.as_mut().unwrap().platform[0]);
        survey.doubt(&lock, &world).unwrap().map(|doubt| doubt.to_string())
    };
    assert_eq!(doubt(&|_| ()), None);
    let said = |at: &str, found: &str| {
        let (at, found): (ImagePath, Found) = (at.parse().unwrap(), found.parse().unwrap());
        doubt(&move |on| drop(on.there.insert(at.clone(), found.clone()))).unwrap()
    };
    assert_eq!(
        said("/usr/bin", "folder 0700 0:0"),
        "linux/amd64, /usr/bin: `folder 0700 0:0`, and the base has `folder 0755 1000:0`"
    );
    assert!(said("/usr/bin/sh", "nothing").contains("/usr/bin/sh: `nothing`, and the base has `file 0644 1000:0 2 "));
    let version = doubt(&|on| on.product_version = Some("8.19.9".to_owned())).unwrap();
    assert_eq!(version, "linux/amd64, product_version: `8.19.9`, and the base has `8.19.3`");
    let java = doubt(&|on| on.java_version = None).unwrap();
    assert_eq!(java, "linux/amd64, java_version: nothing, and the base has `21.0.2`");
    let modules = doubt(&|on| on.modules.extend(["more".to_owned()])).unwrap();
    assert_eq!(modules, "linux/amd64, modules: `more, repository-s3`, and the base has `repository-s3`");
    // Of what nobody has read, nothing is said.
    assert_eq!(survey.doubt(&lock(&locked), &world).unwrap(), None);
}
