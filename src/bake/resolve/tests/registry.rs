use super::*;

const RECIPE: &str = "kind = \"image\"\nproduct = \"elasticsearch\"\nversion = \"8.19.3\"\n\
    from = \"docker.elastic.co/elasticsearch/elasticsearch:8.19.3\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n";

fn base(lock: &Lock) -> &LockedBase {
    lock.base.as_ref().unwrap()
}

#[test]
fn a_tag_is_locked_by_digest_and_platform_with_its_facts() {
    let mut fake = Fake::new();
    let index = fake.elasticsearch("8.19.3");
    let lock = fake.first(RECIPE);
    assert_eq!(base(&lock).digest, Some(index));
    let [amd, arm] = &base(&lock).platform[..] else { panic!("{lock:?}") };
    assert_eq!((amd.name.to_string(), arm.name.to_string()), ("linux/amd64".into(), "linux/arm64".into()));
    assert_ne!(amd.manifest, arm.manifest);
    assert_eq!(amd.config, Some(Digest::of(&config("amd64", "8.19.3", &[b"one", b"two"]))));
    assert_eq!(amd.layer.iter().map(|layer| layer.digest).collect::<Vec<_>>(), [b"one", b"two"].map(|l| Digest::of(l)));
    let facts = [&amd.created, &amd.user, &amd.product_version, &amd.java_version].map(|fact| fact.as_deref().unwrap());
    assert_eq!(facts, ["2026-01-02T03:04:05Z", "1000:0", "8.19.3", "jdk-21.0.2+13"]);
}

#[test]
fn what_was_pinned_stays_without_a_look_at_the_world() {
    let mut fake = Fake::new();
    fake.elasticsearch("8.19.3");
    let first = fake.first(RECIPE);
    let second = fake.offline(RECIPE, Some(&first)).unwrap();
    assert_eq!(first.write().unwrap(), second.write().unwrap());
    let fewer = fake.offline(&RECIPE.replace("\"linux/amd64\", ", ""), Some(&first)).unwrap();
    assert_eq!(base(&fewer).platform.len(), 1);
    let error = fake.offline(RECIPE, None).unwrap_err().to_string();
    assert!(error.contains("base: docker.elastic.co/elasticsearch/elasticsearch:8.19.3 is not at hand"), "{error}");
}

#[test]
fn a_moved_tag_moves_the_pin_only_when_told() {
    let mut fake = Fake::new();
    fake.elasticsearch("8.19.3");
    let first = fake.first(RECIPE);
    let moved = fake.elasticsearch("8.19.3-rebuilt");
    assert_eq!(fake.lock(RECIPE, Some(&first), &Update::Nothing).unwrap(), first);
    for update in [Update::All, Update::Inputs(BTreeSet::from(["base".to_owned()]))] {
        let second = fake.lock(RECIPE, Some(&first), &update).unwrap();
        assert_eq!(base(&second).digest, Some(moved));
        let moved: Vec<_> = lock::moved(&first, &second).into_iter().map(|moved| moved.input).collect();
        assert_eq!(moved, ["base", "base linux/amd64", "base linux/arm64"]);
    }
}

#[test]
fn a_new_platform_comes_from_the_pinned_index() {
    let mut fake = Fake::new();
    let pinned = fake.elasticsearch("8.19.3");
    let first = fake.first(&RECIPE.replace(", \"linux/arm64\"", ""));
    fake.elasticsearch("8.19.3-rebuilt");
    fake.asked();
    let second = fake.lock(RECIPE, Some(&first), &Update::Nothing).unwrap();
    assert_eq!((base(&second).digest, base(&second).platform.len()), (Some(pinned), 2));
    assert!(fake.asked().iter().all(|asked| asked.contains("sha256:")), "the tag was asked for");
}

#[test]
fn a_platform_that_is_not_there_is_refused_with_those_that_are() {
    let mut fake = Fake::new();
    fake.elasticsearch("8.19.3");
    let error = fake.refusal(&RECIPE.replace("linux/arm64", "linux/s390x"));
    assert_eq!(
        error,
        "recipe es cannot be locked:\n  base: docker.elastic.co/elasticsearch/elasticsearch:8.19.3 \
         is not made for linux/s390x; it is for linux/amd64, linux/arm64"
    );
    fake.image("single.example/a:1", "arm64", "1");
    let single = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"single.example/a:1\"\n";
    assert!(fake.refusal(single).contains("is not made for linux/amd64; it is for linux/arm64"));
    let lock = fake.first(&format!("{single}platforms = [\"linux/arm64\"]\n"));
    assert_eq!(base(&lock).digest, Some(base(&lock).platform[0].manifest));
}

#[test]
fn an_index_in_an_index_is_followed_but_not_for_ever() {
    let mut fake = Fake::new();
    let image = fake.image("a.example/a", "amd64", "1");
    let inner = json!({ "schemaVersion": 2, "manifests": [image] });
    let digest = fake.serve("a.example/a", INDEX, &inner);
    let mut entry = json!({ "mediaType": INDEX, "digest": digest, "size": 1 });
    fake.serve("a.example/a:1", INDEX, &json!({ "schemaVersion": 2, "manifests": [entry] }));
    let recipe = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"a.example/a:1\"\n";
    assert_eq!(base(&fake.first(recipe)).platform.len(), 1);
    for _ in 0..5 {
        let digest = fake.serve("a.example/a:1", INDEX, &json!({ "schemaVersion": 2, "manifests": [entry] }));
        entry["digest"] = digest.to_string().into();
    }
    assert!(fake.refusal(recipe).contains("too many further ones"));
}

#[test]
fn documents_that_contradict_each_other_are_refused() {
    let recipe = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"a.example/a:1\"\n";
    let mut fake = Fake::new();
    let mut entry = fake.image("a.example/a", "arm64", "1");
    entry["platform"]["architecture"] = "amd64".into();
    fake.serve("a.example/a:1", INDEX, &json!({ "schemaVersion": 2, "manifests": [entry] }));
    assert!(fake.refusal(recipe).contains("its index says linux/amd64, it says of itself linux/arm64"));

    let config = config("amd64", "1", &[b"one"]);
    fake.blobs.insert(Digest::of(&config), config.clone());
    fake.serve("a.example/a:1", MANIFEST, &manifest(&config, &[b"one", b"two"]));
    assert!(fake.refusal(recipe).contains("its manifest has 2 layers, its configuration 1"));

    fake.manifests.insert("a.example/a:1".into(), (MANIFEST.into(), b"<html>".to_vec()));
    assert!(fake.refusal(recipe).contains("a.example/a@sha256:") && fake.refusal(recipe).contains("HTML"));

    let mut huge = manifest(&config, &[b"one"]);
    huge["config"]["size"] = (1_u64 << 40).into();
    fake.serve("a.example/a:1", MANIFEST, &huge);
    assert!(fake.refusal(recipe).contains("the OCI configuration has 1099511627776 bytes"));

    let pinned = format!("a.example/a@{}", Digest::of(b"promised"));
    fake.manifests.insert(pinned.clone(), (MANIFEST.into(), b"{}".to_vec()));
    assert!(fake.refusal(&recipe.replace("a.example/a:1", &pinned)).contains("the manifest should be"));
}

#[test]
fn scratch_and_recipes_need_no_look_at_the_world() {
    let fake = Fake::new();
    for from in ["scratch", "recipe:elastic-base"] {
        let recipe = format!("kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{from}\"\n");
        let lock = fake.offline(&recipe, None).unwrap();
        assert_eq!(
            lock.base,
            Some(LockedBase { from: from.to_owned(), digest: None, platform: Vec::new(), below: Vec::new() })
        );
    }
}

/// The text is a contract: people read it in reviews, and locks of this format are read for ever.
#[test]
fn a_lock_of_format_1_is_written_and_read_for_ever() {
    const SAMPLE: &str = include_str!("../../../../tests/golden/lock-1.lock");
    let mut fake = Fake::new();
    fake.elasticsearch("8.19.3");
    fake.files.insert("https://example.com/agent.jar".into(), b"agent".to_vec());
    let archive = "[[archive]]\nname = \"agent\"\nurl = \"https://example.com/agent.jar\"\ninto = \"/opt/agent.jar\"\n\
        unpack = false\nplatforms = [\"linux/amd64\"]\n";
    let text = fake.first(&format!("{RECIPE}{archive}")).write().unwrap();
    assert_eq!(text, SAMPLE);
    assert_eq!(lock::parse(Path::new("r.lock"), SAMPLE).unwrap().value.write().unwrap(), SAMPLE);
}
