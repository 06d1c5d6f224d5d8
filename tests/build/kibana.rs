//! Plugins of Kibana, from their zips to the layers of an image.

use std::io::Write;

use serde_json::json;

use crate::kitchen::baked::{gzipped, tarball};
use crate::kitchen::project::Kitchen;

const HOME: &str = "usr/share/kibana";

fn base() -> Vec<u8> {
    let package = r#"{ "name": "kibana", "version": "8.19.3" }"#;
    gzipped(&tarball(&[
        ("usr/", 0o755, ""),
        ("usr/share/", 0o755, ""),
        ("usr/share/kibana/", 0o2775, ""),
        ("usr/share/kibana/package.json", 0o664, package),
        ("usr/share/kibana/plugins/", 0o2775, ""),
    ]))
}

fn manifest(kibana: &str) -> String {
    json!({
        "id": "myPlugin", "version": "1.0.0", "kibanaVersion": kibana, "server": true, "owner": { "name": "House" },
    })
    .to_string()
}

/// A file's name, mode and text.
type Line<'l> = (&'l str, u32, &'l str);

/// A zip of files, without an entry for any folder.
fn zipped(files: &[Line<'_>]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, mode, text) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn kitchen(plugin: &[u8]) -> Kitchen {
    let recipe = "kind = \"image\"\nproduct = \"kibana\"\nversion = \"8.19.3\"\nfrom = \"rootfs:base.tar.gz\"\n\
                  platforms = [\"linux/amd64\"]\n[[plugin]]\nname = \"myPlugin\"\npath = \"plugin.zip\"\n";
    Kitchen::new().recipe("kibana", recipe).file("base.tar.gz", base()).file("plugin.zip", plugin)
}

#[test]
fn a_plugin_is_where_kibanas_own_installer_puts_it() {
    let manifest = manifest("8.19.3");
    let kitchen = kitchen(&zipped(&[
        ("kibana/my-plugin/kibana.json", 0o644, &manifest),
        ("kibana/my-plugin/server/index.js", 0o600, "module.exports = {}"),
        ("kibana/my-plugin/bin/run", 0o755, "#!/bin/sh"),
        ("kibana/README.md", 0o644, "is not the plugin's"),
    ]));
    let build = kitchen.build("kibana");
    let layers = build["platforms"][0]["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2, "the base's and the plugin's");
    let baked = kitchen.baked(&build, 0);
    let shown: Vec<_> =
        baked.layers.last().unwrap().iter().map(|(name, item)| format!("{name} {}", item.text())).collect();
    let plugin = format!("{HOME}/plugins/myPlugin");
    assert_eq!(
        shown,
        [
            "usr/ d 0755 0:0".to_owned(),
            "usr/share/ d 0755 0:0".to_owned(),
            format!("{HOME}/ d 2775 0:0"),
            format!("{HOME}/plugins/ d 2775 0:0"),
            format!("{plugin}/ d 2775 1000:0"),
            format!("{plugin}/bin/ d 2775 1000:0"),
            format!("{plugin}/bin/run f 0775 1000:0 #!/bin/sh"),
            format!("{plugin}/kibana.json f 0664 1000:0 {manifest}"),
            format!("{plugin}/server/ d 2775 1000:0"),
            format!("{plugin}/server/index.js f 0660 1000:0 module.exports = {{}}"),
        ]
    );
    let plugins = &build["platforms"][0]["plugins"];
    assert_eq!((&plugins[0]["name"], &plugins[0]["version"]), (&json!("myPlugin"), &json!("1.0.0")));
    kitchen.run(&["inspect", "kibana"]).success().says("myPlugin");
    kitchen.run(&["verify", "--rebuild", "kibana"]).success();
}

#[test]
fn a_plugin_that_does_not_fit_is_refused_by_name_and_nothing_is_kept() {
    let (right, wrong) = (manifest("8.19.3"), manifest("8.19.2"));
    let cases: [(&[Line<'_>], &str); 4] = [
        (&[("kibana/my-plugin/kibana.json", 0o644, &wrong)], "is for Kibana 8.19.2, and the image has 8.19.3"),
        (&[("my-plugin/kibana.json", 0o644, &right)], "the package holds no `kibana/FOLDER/kibana.json`"),
        (&[("kibana/my-plugin/kibana.jsonc", 0o644, "// {}")], "kibana/my-plugin/kibana.jsonc"),
        (&[("kibana/my-plugin/kibana.json", 0o644, &right), ("kibana/my-plugin/../../x", 0o644, "")], "../../x"),
    ];
    for (files, part) in cases {
        let kitchen = kitchen(&zipped(files));
        // The base is read for the lock, and what it holds is known from then on.
        kitchen.run(&["lock"]).success();
        let before = kitchen.stored();
        let ran = kitchen.run(&["build", "kibana"]).code(3).complains("myPlugin").complains(part).complains("hint: ");
        assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{}", ran.stderr);
        assert_eq!(kitchen.stored(), before, "{part}");
    }
}
