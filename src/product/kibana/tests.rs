//! Each rule with a package that breaks it.

use super::*;
use crate::image::below::AtHand;
use crate::name::Platform;
use crate::recipe::{Product, Version};
use crate::unpack::Unpacked;

const MANIFEST: &str = r#"{ "id": "myPlugin", "version": "1.0.0", "kibanaVersion": "8.19.3", "server": true, "owner": { "name": "House" } }"#;

/// A package of files, with their modes, and the image that it goes into.
struct Case {
    package: Unpacked,
    base: AtHand,
    name: &'static str,
    version: &'static str,
}

fn put(tree: &mut Tree, path: &str, mode: u16, node: Node) {
    tree.insert(path.parse().unwrap(), Entry { mode: Mode::new(mode), owner: Owner::default(), node });
}

impl Case {
    fn new(manifest: &str) -> Self {
        let case = Self { package: Unpacked::default(), base: AtHand::default(), name: "myPlugin", version: "8.19.3" };
        case.file("/kibana/my-plugin/kibana.json", 0o644, manifest).below(PACKAGE, r#"{ "version": "8.19.3" }"#)
    }

    fn file(mut self, path: &str, mode: u16, text: &str) -> Self {
        let node = self.package.contents.add_bytes(text.as_bytes());
        put(&mut self.package.tree, path, mode, node);
        self
    }

    fn below(mut self, path: &str, text: &str) -> Self {
        let node = self.base.contents.add_bytes(text.as_bytes());
        put(&mut self.base.tree, path, 0o664, node);
        self
    }

    fn install(&self) -> Result<Installed, InstallError> {
        let version: Version = self.version.parse().unwrap();
        let platform: Platform = "linux/amd64".parse().unwrap();
        install(&Job {
            product: Product::Kibana,
            version: &version,
            platform: &platform,
            name: self.name,
            package: &self.package,
            below: &self.base,
            scratch: &tempfile::tempfile,
        })
    }

    fn refused(&self) -> String {
        match self.install().unwrap_err() {
            InstallError::Rule { file, message, help } => format!("{file}: {message} ({help})"),
            other => panic!("{other}"),
        }
    }
}

fn good() -> Case {
    Case::new(MANIFEST)
}

/// The manifest with another text in it.
fn with(old: &str, new: &str) -> Case {
    assert!(MANIFEST.contains(old), "{old}");
    Case::new(&MANIFEST.replace(old, new))
}

#[track_caller]
fn says(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{told}\ndoes not say {part}");
    }
}

#[test]
fn files_get_the_owner_and_the_modes_of_the_image() {
    let case = good()
        .file("/kibana/my-plugin/bin/run.sh", 0o755, "#!/bin/sh")
        .file("/kibana/my-plugin/private", 0o600, "p")
        .file("/kibana/my-plugin/open", 0o6777, "o")
        .file("/kibana/my-plugin/windows", 0, "w")
        .file("/kibana/README.md", 0o644, "is not the plugin's")
        .file("/elasticsearch/x", 0o644, "nor this");
    let installed = case.install().unwrap();
    let shown: Vec<_> =
        installed.tree.iter().map(|(path, entry)| format!("{} {} {path}", entry.mode, entry.owner)).collect();
    assert_eq!(
        shown,
        [
            "2775 1000:0 /usr/share/kibana/plugins/myPlugin",
            "2775 1000:0 /usr/share/kibana/plugins/myPlugin/bin",
            "0775 1000:0 /usr/share/kibana/plugins/myPlugin/bin/run.sh",
            "0664 1000:0 /usr/share/kibana/plugins/myPlugin/kibana.json",
            "0775 1000:0 /usr/share/kibana/plugins/myPlugin/open",
            "0660 1000:0 /usr/share/kibana/plugins/myPlugin/private",
            "0664 1000:0 /usr/share/kibana/plugins/myPlugin/windows",
        ]
    );
    for (_, entry) in installed.tree.iter() {
        if let Node::File { digest, size } = entry.node {
            assert_eq!(installed.contents.bytes(&digest, 1 << 10).unwrap().len() as u64, size);
        }
    }
    assert_eq!(installed.facts.name, "myPlugin");
    assert_eq!(installed.facts.version, "1.0.0");
}

#[test]
fn a_folder_that_is_stated_keeps_no_mode_of_its_own() {
    let mut case = good();
    put(&mut case.package.tree, "/kibana/my-plugin/empty", 0o700, Node::Folder);
    let installed = case.install().unwrap();
    let entry = installed.tree.get(&"/usr/share/kibana/plugins/myPlugin/empty".parse().unwrap()).unwrap();
    assert_eq!((entry.mode, &entry.node), (FOLDER, &Node::Folder));
}

#[test]
fn only_what_was_built_can_be_installed() {
    let mut source = good();
    source.package = Unpacked::default();
    says(&source.refused(), &["myPlugin: ", "no `kibana/FOLDER/kibana.json`", "plugin-helpers build"]);
    let source = source.file("/kibana/my-plugin/kibana.jsonc", 0o644, "// of the sources\n{}");
    says(&source.refused(), &["/kibana/my-plugin/kibana.jsonc"]);
    let mut elsewhere = good();
    elsewhere.package = Unpacked::default();
    let elsewhere = elsewhere.file("/my-plugin/kibana.json", 0o644, MANIFEST);
    says(&elsewhere.refused(), &["no `kibana/FOLDER/kibana.json`"]);
}

#[test]
fn a_package_holds_one_plugin() {
    let told = good().file("/kibana/other/kibana.json", 0o644, MANIFEST).refused();
    says(&told, &["/kibana/other/kibana.json", "a second plugin beside /kibana/my-plugin/kibana.json"]);
    // What a plugin brings along deeper down is its own affair.
    assert!(good().file("/kibana/my-plugin/test/kibana/x/kibana.json", 0o644, "?").install().is_ok());
}

#[test]
fn the_id_is_a_name_for_a_folder_and_the_recipes() {
    says(&with("myPlugin", "my-plugin").refused(), &["the `id` is \"my-plugin\"", "lower-case"]);
    says(&with("\"myPlugin\"", "7").refused(), &["the `id` is 7"]);
    says(&with("\"id\"", "\"name\"").refused(), &["there is no `id`"]);
    says(&with("myPlugin", "../../x").refused(), &["the `id` is"]);
    let told = with("myPlugin", "yourPlugin").refused();
    says(&told, &["the plugin `yourPlugin`", "the recipe calls it `myPlugin`", "name = \"yourPlugin\""]);
}

#[test]
fn the_version_is_the_one_of_the_base() {
    says(&with("8.19.3", "8.19.2").refused(), &["is for Kibana 8.19.2, and the image has 8.19.3", "`kibanaVersion`"]);
    let of_version = with("\"kibanaVersion\": \"8.19.3\", ", "");
    says(&of_version.refused(), &["is for Kibana 1.0.0", "`version`"]);
    assert!(Case::new(&MANIFEST.replace("1.0.0\", \"kibanaVersion\": \"8.19.3", "8.19.3-house.1")).install().is_ok());
    assert!(with("\"kibanaVersion\": \"8.19.3\"", "\"kibanaVersion\": \"8.19.3-SNAPSHOT\"").install().is_ok());
    says(&with("\"version\": \"1.0.0\", ", "").refused(), &["there is no `version`"]);
    // The base counts, whatever the recipe says.
    let mut other = good();
    other.version = "9.2.0";
    assert!(other.install().is_ok());
    let newer = good().below(PACKAGE, r#"{ "version": "9.2.0" }"#);
    says(&newer.refused(), &["the image has 9.2.0"]);
}

#[test]
fn where_the_base_does_not_say_its_version_the_recipe_does() {
    let mut bare = good();
    bare.base = AtHand::default();
    assert!(bare.install().is_ok());
    bare.version = "8.19.4";
    says(&bare.refused(), &["the image has 8.19.4"]);
    bare.version = "2026";
    says(&bare.refused(), &["no `/usr/share/kibana/package.json`", "`2026` is no version"]);
    for broken in ["{}", "{ \"version\": 8 }", "no json", ""] {
        says(&good().below(PACKAGE, broken).refused(), &["does not say which version"]);
    }
}

#[test]
fn before_7_10_a_plugin_is_more_than_its_files() {
    let case = Case::new(&MANIFEST.replace("8.19.3", "7.9.3")).below(PACKAGE, r#"{ "version": "7.9.3" }"#);
    says(&case.refused(), &["Kibana 7.9.3 builds bundles", "7.10 or newer", "`[[run]]`"]);
    let case = Case::new(&MANIFEST.replace("8.19.3", "7.10.0")).below(PACKAGE, r#"{ "version": "7.10.0" }"#);
    assert!(case.install().is_ok());
}

#[test]
fn what_keeps_kibana_from_starting_is_refused() {
    says(&Case::new("// {}").refused(), &["/kibana/my-plugin/kibana.json: this is no JSON", "line 1"]);
    says(&with("\"server\": true", "\"server\": \"true\"").refused(), &["neither `server` nor `ui`"]);
    says(&with("\"House\"", "\"\"").refused(), &["no `owner.name`"]);
    let old = MANIFEST.replace("8.19.3", "7.17.0").replace(", \"owner\": { \"name\": \"House\" }", "");
    assert!(Case::new(&old).below(PACKAGE, r#"{ "version": "7.17.0" }"#).install().is_ok());
}

#[test]
fn nothing_is_put_over_what_is_there() {
    let told = good().below("/usr/share/kibana/plugins/myPlugin/kibana.json", "{}").refused();
    says(
        &told,
        &["has `/usr/share/kibana/plugins/myPlugin` already", "remove = [\"/usr/share/kibana/plugins/myPlugin\"]"],
    );
    let told = good().below("/usr/share/kibana/plugins/.plugin.installing/a", "").refused();
    says(&told, &[".plugin.installing", "left behind"]);
    assert!(good().below("/usr/share/kibana/plugins/otherPlugin/kibana.json", "{}").install().is_ok());
}

#[test]
fn links_are_refused() {
    let mut case = good();
    put(&mut case.package.tree, "/kibana/my-plugin/link", 0o777, Node::Link("/etc/passwd".to_owned()));
    says(&case.refused(), &["/kibana/my-plugin/link", "a link to `/etc/passwd`"]);
}

#[test]
fn of_the_base_one_file_is_read() {
    assert!(interest(&PACKAGE.parse().unwrap()));
    assert!(!interest(&"/usr/share/kibana/node_modules/x/package.json".parse().unwrap()));
}
