//! A lock as text: always the same text for the same lock.

use super::Lock;

/// A value that TOML cannot hold: sizes above 2⁶³ bytes, which no real input has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this lock cannot be written: {0}")]
pub struct WriteError(#[from] toml::ser::Error);

const HEAD: &str = "# Made by `elkbake lock`: what the recipe beside it resolved to. Commit it, do not edit it.\n";

impl Lock {
    /// Puts everything in the one order in which it is written.
    pub fn sort(&mut self) {
        if let Some(base) = &mut self.base {
            base.platform.sort_by(|a, b| a.name.cmp(&b.name));
            base.below.sort_by(|a, b| a.name.cmp(&b.name));
        }
        for files in [&mut self.plugin, &mut self.archive] {
            files.sort_by(|a, b| (&a.name, &a.platform).cmp(&(&b.name, &b.platform)));
        }
        self.ami.sort_by_key(|ami| ami.architecture);
    }

    /// The text of this lock, sorted.
    ///
    /// # Errors
    /// [`WriteError`] when a number is too large for TOML.
    pub fn write(&self) -> Result<String, WriteError> {
        let mut sorted = self.clone();
        sorted.sort();
        Ok(format!("{HEAD}{}", toml::to_string(&sorted)?))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;
    use crate::lock::{FORMAT, Found, LockedAmi, LockedBase, LockedFile, LockedLayer, LockedPlatform, parse};
    use crate::recipe::{Architecture, Checksum, Product};

    const TEXT: &str = "[^\0]{0,12}";

    fn digest() -> impl Strategy<Value = Digest> {
        any::<u64>().prop_map(|seed| Digest::of(&seed.to_le_bytes()))
    }

    fn size() -> impl Strategy<Value = u64> {
        0..=i64::MAX.unsigned_abs()
    }

    fn layer() -> impl Strategy<Value = LockedLayer> {
        (digest(), size(), TEXT).prop_map(|(digest, size, media_type)| LockedLayer { digest, size, media_type })
    }

    fn platform() -> impl Strategy<Value = LockedPlatform> {
        let facts = (option::of(TEXT), option::of(TEXT), option::of(TEXT), option::of(TEXT));
        ("linux/[a-z0-9]{1,5}", digest(), option::of(digest()), facts, vec(layer(), 0..3)).prop_map(
            |(name, manifest, config, (created, user, product_version, java_version), layer)| LockedPlatform {
                name: name.parse().unwrap(),
                manifest,
                config,
                created,
                user,
                product_version,
                java_version,
                read_for: Some(Product::Kibana),
                modules: ["b".to_owned(), "a".to_owned()].into(),
                there: [("/a b".parse().unwrap(), Found::Nothing)].into(),
                layer,
            },
        )
    }

    fn file() -> impl Strategy<Value = LockedFile> {
        let published = prop_oneof![
            Just(None),
            digest().prop_map(|digest| Some(Checksum::Sha256(digest))),
            digest().prop_map(|digest| Some(Checksum::Sha512(digest.hex().repeat(2)))),
        ];
        (TEXT, option::of("linux/[a-z]{1,3}"), TEXT, option::of(TEXT), digest(), size(), published).prop_map(
            |(name, platform, want, url, sha256, size, published)| LockedFile {
                name,
                platform: platform.map(|name| name.parse().unwrap()),
                want,
                url,
                sha256,
                size,
                published,
            },
        )
    }

    fn ami() -> impl Strategy<Value = LockedAmi> {
        (any::<bool>(), (TEXT, TEXT, TEXT, TEXT), (TEXT, TEXT, TEXT), option::of(TEXT)).prop_map(
            |(arm, (want, id, name, owner), (snapshot, root_device, created), deprecated)| LockedAmi {
                architecture: if arm { Architecture::Arm } else { Architecture::X86 },
                region: "eu-west-1".parse().unwrap(),
                want,
                id,
                name,
                owner,
                snapshot,
                root_device,
                created,
                deprecated,
            },
        )
    }

    fn lock() -> impl Strategy<Value = Lock> {
        let base = (TEXT, option::of(digest()), vec(platform(), 0..3))
            .prop_map(|(from, digest, platform)| LockedBase { from, digest, platform, below: Vec::new() });
        (option::of(base), vec(file(), 0..4), vec(file(), 0..4), vec(ami(), 0..3))
            .prop_map(|(base, plugin, archive, ami)| Lock { format: FORMAT, base, plugin, archive, ami })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_written_reads_back_the_same(mut lock in lock()) {
            let text = lock.write().unwrap();
            lock.sort();
            prop_assert_eq!(parse(Path::new("a.lock"), &text).unwrap().value, lock);
        }

        #[test]
        fn the_text_does_not_depend_on_the_order_of_the_answers(lock in lock()) {
            let mut other = lock.clone();
            other.sort();
            let sorted = other.write().unwrap();
            other.plugin.reverse();
            let distinct = lock.plugin.windows(2).all(|pair| pair[0].name != pair[1].name);
            prop_assume!(distinct && lock.plugin.len() < 3);
            prop_assert_eq!(other.write().unwrap(), sorted);
        }
    }

    #[test]
    fn a_lock_is_text_for_people() {
        let base = LockedBase { from: "scratch".to_owned(), digest: None, platform: Vec::new(), below: Vec::new() };
        let lock = Lock { format: FORMAT, base: Some(base), plugin: Vec::new(), archive: Vec::new(), ami: Vec::new() };
        let text = lock.write().unwrap();
        assert!(text.starts_with("# Made by `elkbake lock`"), "{text}");
        assert!(text.contains("\nformat = 1\n"), "{text}");
        assert!(text.contains("[base]\nfrom = \"scratch\"\n"), "{text}");
    }
}
