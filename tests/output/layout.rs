//! `--output oci:FOLDER`.

use elkbake::bake::event::SILENT;
use elkbake::bake::interrupt::Interrupt;
use elkbake::bake::output::{self, Desk, Image, OutputError, Place};
use elkbake::digest::Digest;
use serde_json::{Value, json};

use super::{bake, write};
use crate::kitchen::built::{Bakery, files};

fn index(bakery: &Bakery, layout: &str) -> Value {
    serde_json::from_slice(&std::fs::read(bakery.path(layout).join("index.json")).unwrap()).unwrap()
}

fn tags(bakery: &Bakery, layout: &str) -> Vec<(String, String)> {
    let index = index(bakery, layout);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entry =
        |entry: &Value| (text(&entry["annotations"]["org.opencontainers.image.ref.name"]), text(&entry["digest"]));
    index["manifests"].as_array().unwrap().iter().map(entry).collect()
}

#[test]
fn a_layout_holds_every_blob_under_its_own_digest() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64", "linux/arm64"], "one");
    write(&bakery, &built, "1", "oci:deep/layout").unwrap();
    let files = files(&bakery.path("deep/layout"));
    let blobs: Vec<_> = files.iter().filter(|(name, _)| name.starts_with("blobs/")).collect();
    // Both platforms share the layer of their own files.
    assert_eq!((blobs.len(), files.len()), (8, 10), "{:?}", files.keys());
    for (name, bytes) in blobs {
        assert_eq!(*name, format!("blobs/sha256/{}", Digest::of(bytes).hex()));
    }
    assert_eq!(files["oci-layout"], br#"{"imageLayoutVersion":"1.0.0"}"#);
    let top = built.index.unwrap();
    assert_eq!(
        index(&bakery, "deep/layout"),
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": top.media_type, "digest": top.digest, "size": top.size,
                "annotations": { "org.opencontainers.image.ref.name": "1" },
            }],
        })
    );
}

#[test]
fn the_same_image_makes_the_same_layout_and_touches_nothing_the_second_time() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64"], "one");
    write(&bakery, &built, "1", "oci:a").unwrap();
    write(&bakery, &built, "1", "oci:b").unwrap();
    assert_eq!(files(&bakery.path("a")), files(&bakery.path("b")));
    let time = |name: &str| std::fs::metadata(bakery.path("a").join(name)).unwrap().modified().unwrap();
    let before = (time("index.json"), time("oci-layout"));
    write(&bakery, &built, "1", "oci:a").unwrap();
    assert_eq!((time("index.json"), time("oci-layout")), before);
}

#[test]
fn other_images_of_a_layout_stay_and_the_one_of_the_tag_is_replaced() {
    let bakery = Bakery::new();
    let (one, two) = (bake(&bakery, &["linux/amd64"], "one"), bake(&bakery, &["linux/amd64"], "two"));
    let digest = |built: &elkbake::bake::built::Built| built.platforms[0].manifest.digest.to_string();
    write(&bakery, &one, "1", "oci:l").unwrap();
    write(&bakery, &two, "2", "oci:l").unwrap();
    assert_eq!(tags(&bakery, "l"), [("1".into(), digest(&one)), ("2".into(), digest(&two))]);
    // What others wrote, and what nobody should have written: one tag twice.
    let mut index = index(&bakery, "l");
    index["annotations"] = json!({ "theirs": "kept" });
    let twice = index["manifests"][0].clone();
    let foreign = json!({ "mediaType": "x/y", "digest": "sha512:00", "size": 1, "more": [1] });
    index["manifests"].as_array_mut().unwrap().extend([twice, foreign.clone()]);
    std::fs::write(bakery.path("l/index.json"), index.to_string()).unwrap();
    write(&bakery, &two, "1", "oci:l").unwrap();
    let after = self::index(&bakery, "l");
    let entries = after["manifests"].as_array().unwrap();
    assert_eq!(entries.len(), 3, "{after}");
    assert_eq!((&entries[0]["digest"], &entries[2]), (&json!(digest(&two)), &foreign));
    assert_eq!(after["annotations"]["theirs"], "kept");
}

#[test]
fn what_is_no_layout_is_refused_and_left_as_it_is() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64"], "one");
    let refused = |place: &str, why: &str| {
        let error = write(&bakery, &built, "1", place).unwrap_err();
        assert!(matches!(error, OutputError::Taken { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    };
    std::fs::write(bakery.path("file"), "mine").unwrap();
    refused("oci:file", "there is a file where");
    std::fs::create_dir(bakery.path("mine")).unwrap();
    std::fs::write(bakery.path("mine/notes"), "mine").unwrap();
    refused("oci:mine", "not empty");
    assert_eq!(files(&bakery.path("mine")).len(), 1);
    std::fs::create_dir(bakery.path("new")).unwrap();
    std::fs::write(bakery.path("new/oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    refused("oci:new", "no OCI layout of version 1.0.0");
    std::fs::write(bakery.path("new/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    for wrong in ["", "[]", "{}", r#"{"schemaVersion":2}"#, r#"{"schemaVersion":1,"manifests":[]}"#] {
        std::fs::write(bakery.path("new/index.json"), wrong).unwrap();
        refused("oci:new", "index.json: ");
        assert_eq!(std::fs::read_to_string(bakery.path("new/index.json")).unwrap(), wrong);
    }
    std::fs::create_dir(bakery.path("empty")).unwrap();
    write(&bakery, &built, "1", "oci:empty").unwrap();
}

#[test]
fn a_layout_that_a_killed_run_left_is_gone_on_with() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64"], "one");
    write(&bakery, &built, "1", "oci:whole").unwrap();
    let blob = format!("blobs/sha256/{}", built.platforms[0].layers[0].descriptor.digest.hex());
    for (name, bytes) in [(".elkbake-abc", &b"half"[..]), ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)] {
        std::fs::create_dir_all(bakery.path("torn/blobs/sha256")).unwrap();
        std::fs::write(bakery.path("torn").join(name), bytes).unwrap();
    }
    // A disk that lost what was not synced leaves a file of the right name and the wrong bytes.
    std::fs::write(
        bakery.path("torn").join(&blob),
        vec![0; usize::try_from(built.platforms[0].layers[0].descriptor.size).unwrap()],
    )
    .unwrap();
    write(&bakery, &built, "1", "oci:torn").unwrap();
    assert_eq!(files(&bakery.path("torn")), files(&bakery.path("whole")));
}

#[test]
fn a_blob_that_is_missing_or_damaged_names_no_image() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64"], "one");
    write(&bakery, &built, "1", "oci:l").unwrap();
    let other = bake(&bakery, &["linux/amd64"], "two");
    let digest = other.platforms[0].layers[1].descriptor.digest;
    let blob = bakery.path("store/v1/blobs/sha256").join(&digest.hex()[..2]).join(digest.hex());
    let right = std::fs::read(&blob).unwrap();
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, vec![7; right.len()]).unwrap();
    let error = write(&bakery, &other, "2", "oci:l").unwrap_err();
    assert!(matches!(error, OutputError::Damaged { digest: named, .. } if named == digest), "{error}");
    let error = write(&bakery, &other, "2", "oci:l").unwrap_err();
    assert!(matches!(error, OutputError::Missing { digest: named } if named == digest), "it was dropped: {error}");
    assert_eq!(tags(&bakery, "l").len(), 1);
    assert!(!files(&bakery.path("l")).keys().any(|name| name.contains("elkbake")));
}

#[test]
fn two_runs_at_one_time_lose_nothing_of_each_other() {
    let bakery = Bakery::new();
    let images: Vec<_> = (0..8).map(|i| (i.to_string(), bake(&bakery, &["linux/amd64"], &i.to_string()))).collect();
    std::thread::scope(|scope| {
        for (tag, built) in &images {
            let bakery = &bakery;
            scope.spawn(move || write(bakery, built, tag, "oci:l").unwrap());
        }
    });
    assert_eq!(tags(&bakery, "l").len(), images.len());
}

#[test]
fn one_platform_can_be_picked_and_a_stop_is_heeded() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64", "linux/arm64"], "one");
    let (repository, tag) = ("elk/es".parse().unwrap(), "1".parse().unwrap());
    let arm = "linux/arm64".parse().unwrap();
    let image = Image::new(&built, &repository, &tag).on(&arm).unwrap();
    let interrupt = Interrupt::default();
    let desk =
        Desk { store: &bakery.store, interrupt: &interrupt, tell: SILENT, host: &arm, folder: bakery.folder.path() };
    output::write(&image, &Place::Oci(bakery.path("arm")), desk).unwrap();
    assert_eq!(tags(&bakery, "arm")[0].1, built.platforms[1].manifest.digest.to_string());
    assert_eq!(files(&bakery.path("arm")).len(), 2 + 4);
    let error = Image::new(&built, &repository, &tag).on(&"linux/s390x".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the image is not made for linux/s390x; it is for linux/amd64, linux/arm64");
    interrupt.request();
    let error = output::write(&image, &Place::Oci(bakery.path("stopped")), desk).unwrap_err();
    assert!(matches!(error, OutputError::Interrupted), "{error}");
    assert!(!bakery.path("stopped/index.json").exists());
}
