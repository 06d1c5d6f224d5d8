//! Descriptors of plugins come out of packages from anywhere.
#![no_main]

use elkbake::image::below::AtHand;
use elkbake::product::{InstallError, Job, elasticsearch};
use elkbake::recipe::Product;
use elkbake::tree::{Entry, Mode, Owner};
use elkbake::unpack::Unpacked;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for file in ["/plugin-descriptor.properties", "/stable-plugin-descriptor.properties"] {
        let mut package = Unpacked::default();
        let node = package.contents.add_bytes(bytes);
        let entry = Entry { mode: Mode::new(0o644), owner: Owner::default(), node };
        package.tree.insert(file.parse().unwrap(), entry);
        for version in ["7.17.28", "8.3.3", "9.2.0"] {
            let job = Job {
                product: Product::Elasticsearch,
                version: &version.parse().unwrap(),
                platform: &"linux/amd64".parse().unwrap(),
                name: "x",
                package: &package,
                below: &AtHand::default(),
                scratch: &|| Err(std::io::Error::other("nothing is unpacked")),
            };
            match elasticsearch::install(&job) {
                Ok(installed) => assert_eq!(installed.facts.name, "x"),
                Err(error) => assert!(matches!(error, InstallError::Rule { .. } | InstallError::Package(_))),
            }
        }
    }
});
