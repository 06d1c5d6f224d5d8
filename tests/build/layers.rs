//! What goes into layers, and what does not.

use super::{on_rootfs, recipe, rootfs};
use crate::kitchen::baked::{gzipped, tarball};
use crate::kitchen::project::Kitchen;

fn names(layer: &std::collections::BTreeMap<String, crate::kitchen::baked::Item>) -> Vec<&str> {
    layer.keys().map(String::as_str).collect()
}

#[test]
fn a_layer_holds_what_the_base_has_not_with_folders_as_the_base_has_them() {
    let kitchen = on_rootfs("")
        .file("images/app/etc/motd", "welcome\n")
        .file("images/app/bin/tool", "tool")
        .file("images/app/opt/app/conf", "conf");
    let build = kitchen.build("app");
    let baked = kitchen.baked(&build, 0);
    let own = baked.layers.last().unwrap();
    assert_eq!(names(own), ["opt/", "opt/app/", "opt/app/conf", "usr/", "usr/bin/", "usr/bin/tool"]);
    assert_eq!(own["opt/"].mode, 0o750);
    assert_eq!(own["usr/bin/tool"].mode, 0o755);
}

/// What was built before has no say in it, although the rule changes none of the files themselves.
#[test]
fn a_folder_of_the_base_gets_the_owner_that_a_rule_says() {
    let parent = recipe("scratch", "[files]\nopt = { owner = \"7:8\" }\n");
    let kitchen = Kitchen::new()
        .recipe("parent", &parent)
        .file("images/parent/opt/x", "x")
        .recipe("app", &recipe("recipe:parent", ""))
        .file("images/app/opt/conf", "conf");
    let owner = |kitchen: &Kitchen| {
        let build = kitchen.build("app");
        kitchen.baked(&build, 0).layers.last().unwrap()["opt/"].owner
    };
    assert_eq!(owner(&kitchen), (7, 8));
    let kitchen = kitchen.recipe("app", &recipe("recipe:parent", "[files]\nopt = { owner = \"0:0\" }\n"));
    assert_eq!(owner(&kitchen), (0, 0));
}

#[test]
fn what_the_base_has_already_makes_no_layer() {
    let kitchen = on_rootfs("").file("images/app/etc/motd", "welcome\n");
    let build = kitchen.build("app");
    assert_eq!(build["platforms"][0]["layers"].as_array().unwrap().len(), 1);
}

#[test]
fn removed_paths_are_whiteouts_and_have_to_be_there() {
    let kitchen = on_rootfs("remove = [\"/bin/sh\"]\n");
    let build = kitchen.build("app");
    let baked = kitchen.baked(&build, 0);
    assert_eq!(names(baked.layers.last().unwrap()), ["usr/", "usr/bin/", "usr/bin/.wh.sh"]);
    let kitchen = on_rootfs("remove = [\"/bin/zsh\"]\n");
    kitchen.run(&["build", "app"]).code(3).complains("/bin/zsh is to be removed, and the image has no such path");
}

#[test]
fn each_archive_is_a_layer_and_files_come_on_top() {
    let archive =
        gzipped(&tarball(&[("agent-1/", 0o700, ""), ("agent-1/run", 0o755, "run"), ("agent-1/doc/x", 0o644, "x")]));
    let more = "[[archive]]\nname = \"agent\"\npath = \"agent.tgz\"\ninto = \"/opt/agent\"\nstrip = 1\nowner = \"7:8\"\n\
                except = [\"doc\"]\n\
                [[archive]]\nname = \"one\"\npath = \"one.bin\"\ninto = \"/usr/bin/one\"\nunpack = false\nmode = \"0755\"\n";
    let kitchen =
        on_rootfs(more).file("agent.tgz", archive).file("one.bin", "one").file("images/app/opt/agent/conf", "conf");
    let build = kitchen.build("app");
    let baked = kitchen.baked(&build, 0);
    let [.., agent, one, files] = &baked.layers[..] else { panic!("three layers") };
    assert_eq!(names(agent), ["opt/", "opt/agent/", "opt/agent/run"]);
    assert_eq!(agent["opt/agent/run"].text(), "f 0755 7:8 run");
    assert_eq!(one["usr/bin/one"].text(), "f 0755 0:0 one");
    assert_eq!(names(files), ["opt/", "opt/agent/", "opt/agent/conf"]);
    assert_eq!(files["opt/agent/"], agent["opt/agent/"], "a folder is as the archive made it");
}

#[test]
fn an_archive_may_differ_by_platform_and_what_does_not_is_one_layer() {
    let archive = |platform: &str| gzipped(&tarball(&[("agent", 0o755, platform)]));
    let on = |platform: &str| {
        format!(
            "[[archive]]\nname = \"agent\"\npath = \"{platform}.tgz\"\ninto = \"/opt/agent\"\n\
             platforms = [\"linux/{platform}\"]\n"
        )
    };
    let both = "[[archive]]\nname = \"one\"\npath = \"one.bin\"\ninto = \"/usr/bin/one\"\nunpack = false\n";
    let text = recipe("rootfs:base.tar.gz", &format!("{both}{}{}", on("amd64"), on("arm64")));
    let kitchen = Kitchen::new()
        .recipe("app", &text.replacen("[\"linux/amd64\"]", "[\"linux/amd64\", \"linux/arm64\"]", 1))
        .file("base.tar.gz", rootfs())
        .file("amd64.tgz", archive("amd64"))
        .file("arm64.tgz", archive("arm64"))
        .file("one.bin", "one")
        .file("images/app/opt/conf", "conf");
    let build = kitchen.build("app");
    let baked = [0, 1].map(|platform| kitchen.baked(&build, platform));
    let layers = [0, 1].map(|platform: usize| baked[platform].manifest["layers"].as_array().unwrap());
    assert_eq!([layers[0].len(), layers[1].len()], [4, 4]);
    for (i, name) in ["base", "one", "agent", "files"].iter().enumerate() {
        assert_eq!(layers[0][i]["digest"] == layers[1][i]["digest"], *name != "agent", "{name}");
    }
    for (platform, baked) in ["amd64", "arm64"].iter().zip(&baked) {
        let agents: Vec<_> = baked.layers.iter().filter_map(|layer| layer.get("opt/agent/agent")).collect();
        assert_eq!(agents.len(), 1);
        assert_eq!(agents[0].text(), format!("f 0755 0:0 {platform}"));
        assert_eq!(baked.config["architecture"], **platform);
    }
}

#[test]
fn zstd_is_used_where_the_recipe_says_so() {
    let kitchen = Kitchen::new()
        .recipe("app", &recipe("scratch", "compression = \"zstd\"\n"))
        .file("images/app/a", "a".repeat(100_000));
    let build = kitchen.build("app");
    let baked = kitchen.baked(&build, 0);
    assert_eq!(baked.manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(baked.layers[0]["a"].content.len(), 100_000);
}

#[test]
fn an_input_that_changed_since_it_was_locked_is_refused_and_nothing_is_kept() {
    let kitchen = on_rootfs("");
    kitchen.run(&["lock"]).success();
    let mut other = rootfs();
    // The same size, another byte: what a plan cannot see.
    other[9] ^= 0xff;
    kitchen.write("base.tar.gz", &other);
    kitchen.write("images/app/etc/new", "new");
    kitchen.run(&["build", "app", "--offline"]).code(3);
    let index = kitchen.store().join("v1/index");
    assert!(index.read_dir().map_or(0, Iterator::count) == 0);

    let one = "[[archive]]\nname = \"one\"\npath = \"one.bin\"\ninto = \"/usr/bin/one\"\nunpack = false\n";
    let kitchen = Kitchen::new().recipe("app", &recipe("scratch", one)).file("one.bin", "one");
    kitchen.run(&["lock"]).success();
    let before = kitchen.stored();
    kitchen.write("one.bin", "two");
    let ran = kitchen.run(&["build", "app"]).code(3).complains("one.bin: it is not what was locked");
    ran.complains("hint: run `elkbake lock`");
    assert_eq!(kitchen.stored(), before);
}

#[test]
fn a_file_of_the_project_is_used_as_it_was_locked_and_leaves_no_copy() {
    let archive = |text: &str| gzipped(&tarball(&[("run", 0o755, text)]));
    let more = "[[archive]]\nname = \"agent\"\npath = \"agent.tgz\"\ninto = \"/opt/agent\"\n\
                [[archive]]\nname = \"one\"\npath = \"one.bin\"\ninto = \"/usr/bin/one\"\nunpack = false\n";
    let kitchen =
        Kitchen::new().recipe("app", &recipe("scratch", more)).file("agent.tgz", archive("run")).file("one.bin", "one");
    kitchen.run(&["lock"]).success();
    kitchen.build("app");
    for locked in [archive("run"), b"one".to_vec()] {
        let digest = elkbake::digest::Digest::of(&locked);
        assert!(!kitchen.blob_path(&digest.to_string()).exists(), "the project has it already");
    }
    let changed = archive("nur");
    assert_eq!(changed.len(), archive("run").len(), "what a plan cannot see");
    kitchen.write("agent.tgz", changed);
    // As on another machine: here the layer is made already.
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    kitchen.run(&["build", "app"]).code(3).complains("run `elkbake lock`");
}

#[test]
fn a_changed_jar_is_a_layer_of_its_own_above_what_brought_it() {
    let jar = |names: &[&str]| {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in names {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let archive =
        gzipped(&tarball(&[("log4j.jar", 0o600, jar(&["Lookup.class", "Other.class"])), ("x.jar", 0o644, jar(&[]))]));
    let step = |class: &str| {
        format!(
            "[[archive]]\nname = \"agent\"\npath = \"agent.tgz\"\ninto = \"/opt/agent\"\nowner = \"7:8\"\n\
             [[jar]]\nname = \"log4shell\"\npath = \"/opt/**/*.jar\"\nremove = [\"{class}\"]\n"
        )
    };
    let kitchen = on_rootfs(&step("Lookup.class")).file("agent.tgz", &archive);
    let build = kitchen.build("app");
    let baked = kitchen.baked(&build, 0);
    let changed = baked.layers.last().unwrap();
    assert_eq!(names(changed), ["opt/", "opt/agent/", "opt/agent/log4j.jar"]);
    let item = &changed["opt/agent/log4j.jar"];
    assert_eq!((item.mode, item.content.clone()), (0o600, jar(&["Other.class"])));
    let kitchen = on_rootfs(&step("Gone.class")).file("agent.tgz", &archive);
    let refused = kitchen.run(&["build", "app"]).code(3);
    refused.complains("jar log4shell").complains("no jar that matches `/opt/**/*.jar` holds `Gone.class`");
}
