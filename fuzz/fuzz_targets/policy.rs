//! So do the policies of plugins: what a plugin may do, in two formats.
#![no_main]

use elkbake::image::below::AtHand;
use elkbake::product::{InstallError, Job, elasticsearch};
use elkbake::recipe::Product;
use elkbake::tree::{Entry, Mode, Owner};
use elkbake::unpack::Unpacked;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for (version, policy) in [("7.17.28", "/plugin-security.policy"), ("9.2.0", "/entitlement-policy.yaml")] {
        let descriptor = format!(
            "name=x\ndescription=\nversion=1\nelasticsearch.version={version}\njava.version=17\nclassname=x.X\n"
        );
        let mut package = Unpacked::default();
        for (path, bytes) in [("/plugin-descriptor.properties", descriptor.as_bytes()), (policy, bytes)] {
            let node = package.contents.add_bytes(bytes);
            let entry = Entry { mode: Mode::new(0o644), owner: Owner::default(), node };
            package.tree.insert(path.parse().unwrap(), entry);
        }
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
            Ok(installed) => assert!(installed.facts.permissions.is_sorted()),
            Err(error) => assert!(matches!(error, InstallError::Rule { .. } | InstallError::Package(_))),
        }
    }
});
