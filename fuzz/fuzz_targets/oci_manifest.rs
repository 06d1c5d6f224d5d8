//! Manifests, indexes and layouts come from registries and folders that nobody vouches for.
#![no_main]

use elkbake::image::oci;

const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for media_type in MEDIA_TYPES {
        if let Err(error) = oci::document(media_type, bytes) {
            assert!(error.to_string().len() < 2000, "an error as long as what it complains about");
        }
    }
    let _ = oci::layout_index(bytes);
    let _ = oci::config(bytes);
});
