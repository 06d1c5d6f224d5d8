//! Recipes that are right, and every way to get one wrong: each mistake at its place, with what to do.

use std::path::Path;

use super::{Recipe, parse};

const IMAGE: &str = "kind = \"image\"\nproduct = \"elasticsearch\"\nversion = \"8.19.3\"\nfrom = \"a.b/c:1\"\n";
const GENERIC: &str = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n";
const AMI: &str = "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\n";
const BASE: &str = "[base]\nid = \"ami-12345678\"\n";

fn read(text: &str) -> Recipe {
    parse(Path::new("r.toml"), text).unwrap_or_else(|error| panic!("{error}\nin {text}")).value
}

/// Every mistake as `line:column: message | help`.
fn mistakes(text: &str) -> Vec<String> {
    let error = parse(Path::new("r.toml"), text).expect_err(text);
    let told = error.problems.iter().map(|problem| {
        let (line, column) = crate::text::line_and_column(text, problem.span.start);
        format!("{line}:{column}: {} | {}", problem.message, problem.help.as_deref().unwrap_or_default())
    });
    told.collect()
}

/// What is added to an image recipe is one mistake, which begins like this; lines count from the addition.
#[track_caller]
fn wrong_image(addition: &str, expected: &str) {
    one(&format!("{IMAGE}{addition}"), 4, expected);
}

#[track_caller]
fn wrong_ami(addition: &str, expected: &str) {
    one(&format!("{AMI}{addition}{BASE}"), 3, expected);
}

#[track_caller]
fn one(text: &str, before: usize, expected: &str) {
    let all = mistakes(text);
    let (line, rest) = expected.split_once(':').unwrap();
    let expected = format!("{}:{rest}", line.parse::<usize>().unwrap() + before);
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(all[0].starts_with(&expected), "{:?}\ndoes not begin with\n{expected:?}", all[0]);
}

#[test]
fn the_least_recipes_are_read() {
    assert!(matches!(read(IMAGE), Recipe::Image(_)));
    assert!(matches!(read(&format!("{AMI}{BASE}")), Recipe::Ami(_)));
}

#[test]
fn a_recipe_says_what_it_is_for() {
    assert_eq!(mistakes("").len(), 1);
    assert!(mistakes("")[0].starts_with("1:1: this recipe is empty | say `kind"));
    let all = mistakes(&IMAGE.replace("image", "imgae"));
    assert_eq!(all, ["1:8: `imgae` is not known here | did you mean `image`?"]);
    let all = mistakes(&IMAGE.replace("kind = \"image\"\n", ""));
    assert_eq!(all, ["1:1: `kind` is missing | "]);
    let all = mistakes("kind = 1\nregion = \"x\"\n");
    assert_eq!(
        all,
        [
            "1:1: `version` is missing | ",
            "1:1: `base` is missing | ",
            "1:8: this has to be a string, it is an integer | write it in quotes: `\"1\"`",
            "2:10: `x` is no AWS region: it looks like `eu-west-1` | ",
        ]
    );
}

#[test]
fn a_slip_of_the_pen_in_a_required_key_is_one_mistake() {
    let all = mistakes(&IMAGE.replace("version", "verison"));
    assert_eq!(all, ["3:1: unknown key `verison` | did you mean `version`? It has to be here"]);
}

#[test]
fn a_key_that_is_there_already_is_not_what_was_meant() {
    let all = mistakes(&format!("{IMAGE}versions = 1\n"));
    assert!(all[0].starts_with("5:1: unknown key `versions` | known here: kind, product"), "{all:?}");
}

#[test]
fn unknown_keys_are_found_at_every_level() {
    wrong_image("platfroms = []\n", "1:1: unknown key `platfroms` | did you mean `platforms`?");
    wrong_image("[config]\ncmdd = []\n", "2:1: unknown key `cmdd` | did you mean `cmd`?");
    wrong_image("[[plugin]]\nname = \"x\"\nulr = \"\"\n", "3:1: unknown key `ulr` | did you mean `url`?");
    wrong_image("[files]\n\"*\" = { ownr = \"0:0\" }\n", "2:9: unknown key `ownr` | did you mean `owner`?");
    wrong_image("[runtime.ulimits]\nnofile = { soft = 1, hard = 1, sotf = 1 }\n", "2:32: unknown key `sotf`");
    wrong_ami("[ami.share]\naccount = []\n", "2:1: unknown key `account` | did you mean `accounts`?");
}

#[test]
fn a_key_below_the_wrong_header_is_sent_to_the_top() {
    wrong_image(
        "[config]\nrepository = \"a/b\"\n",
        "2:1: unknown key `repository` | `repository` stands at the top of the file",
    );
}

#[test]
fn brackets_are_explained() {
    wrong_image("[plugin]\nname = \"x\"\n", "1:1: this has to be an array, it is a table | write `[[plugin]]`");
    wrong_image("[[config]]\n", "1:1: this has to be a table, it is an array | write `[config]`");
    wrong_image(
        "[config]\ncmd = \"run\"\n",
        "2:7: this has to be an array, it is a string | write it in square brackets",
    );
    wrong_image(
        "[config]\nlabels.a.b = \"x\"\n",
        "2:8: `a` has to be a value, it is a table | a key with dots in it is written in quotes: `\"a.b\"",
    );
    wrong_ami(
        "[sysctl]\nvm.max_map_count = 1\n",
        "2:1: `vm` has to be a value, it is a table | a key with dots in it is written in quotes: `\"vm.max_map_count\"",
    );
}

#[test]
fn kinds_and_ranges_are_checked() {
    wrong_image("description = true\n", "1:15: this has to be a string, it is a boolean | write it in quotes");
    wrong_image(
        "[test]\ntimeout = \"5\"\n",
        "2:11: this has to be a whole number, it is a string | write it without quotes",
    );
    wrong_image("[test]\ntimeout = 4294967296\n", "2:11: this has to be a whole number from 0 to 4294967295");
    wrong_image("[test]\ntimeout = -1\n", "2:11: this has to be a whole number from 0 to 4294967295");
    wrong_image("[test]\ntimeout = 1.5\n", "2:11: this has to be a whole number, it is a float");
    wrong_image("[test.ready]\ntcp = 70000\n", "2:7: this has to be a whole number from 0 to 65535");
    wrong_image("[runtime]\nmemory = 0\n", "2:10: this has to be more than 0");
    wrong_image(
        "[[archive]]\nname = \"a\"\npath = \"a\"\ninto = \"/a\"\nunpack = \"false\"\n",
        "5:10: this has to be `true` or `false`, it is a string | write it without quotes",
    );
    wrong_image("description = \"a\\u0000b\"\n", "1:15: this text holds a NUL character");
    wrong_image("platforms = [\"linux/amd64\", \"linux/amd64\"]\n", "1:29: this stands here twice");
    wrong_image("platforms = []\n", "1:13: there is no platform to bake for");
    wrong_image("config = 2024-01-01\n", "1:10: this has to be a table, it is a datetime");
}

#[test]
fn each_plugin_and_archive_comes_from_one_place() {
    let archive = "[[archive]]\nname = \"a\"\ninto = \"/a\"\n";
    wrong_image(archive, "1:1: nobody knows where this archive comes from | say `url`, `path` or `maven`");
    wrong_image(
        &format!("{archive}url = \"https://a/b\"\npath = \"b\"\n"),
        "5:8: `url` says already where this comes from",
    );
    wrong_image(
        "[[plugin]]\nname = \"a\"\npath = \"b\"\nmaven = \"a:b:1\"\n",
        "4:9: `path` says already where this comes from",
    );
    assert!(matches!(read(&format!("{IMAGE}[[plugin]]\nname = \"discovery-ec2\"\n")), Recipe::Image(_)));
    one(
        &format!("{GENERIC}[[plugin]]\nname = \"a\"\n"),
        4,
        "2:8: nobody knows where the plugin `a` of a generic image comes from",
    );
    wrong_image(&format!("{archive}maven = \"a:b\"\n"), "4:9: `a:b` is no Maven coordinate");
}

#[test]
fn plain_http_needs_a_checksum_unless_it_stays_on_the_machine() {
    let plugin = |url: &str| format!("[[plugin]]\nname = \"a\"\nurl = \"{url}\"\n");
    wrong_image(
        &plugin("http://a.b/c"),
        "3:7: anyone can change what comes over `http://` | write `https://`, or add the `checksum`",
    );
    for right in [
        plugin("http://localhost:1/c"),
        plugin("http://127.0.0.1/c"),
        plugin("http://[::1]:80/c"),
        plugin("http://a.b/c") + &format!("checksum = \"{}\"\n", "a".repeat(64)),
    ] {
        read(&format!("{IMAGE}{right}"));
    }
}

#[test]
fn names_stand_once() {
    let two = |list: &str, rest: &str| format!("[[{list}]]\nname = \"a\"\n{rest}[[{list}]]\nname = \"a\"\n{rest}");
    wrong_image(
        &two("plugin", ""),
        "4:8: there is another plugin with the name `a` | give each its own `name`, or `platforms`",
    );
    wrong_image(&two("archive", "path = \"x\"\ninto = \"/x\"\n"), "6:8: there is another archive with the name `a`");
    wrong_image(&two("run", "command = [\"x\"]\n"), "5:8: there is another run with the name `a`");
    wrong_image(&two("jar", "path = \"/x\"\nremove = [\"a\"]\n"), "6:8: there is another jar with the name `a`");
    wrong_ami(&two("volume", "kind = \"gp3\"\n"), "5:8: there is another volume with the name `a`");
    wrong_image("[[plugin]]\nname = \" \"\n", "2:8: this is no name");
    // Found even where something else in one of them is wrong.
    let all =
        mistakes(&format!("{IMAGE}[[run]]\nname = \"a\"\ncommand = 1\n[[run]]\nname = \"a\"\ncommand = [\"x\"]\n"));
    assert_eq!(all.len(), 2, "{all:?}");
    // A program is another file on another processor.
    let archive = |platform: &str| {
        format!(
            "[[archive]]\nname = \"tini\"\npath = \"{platform}\"\ninto = \"/x\"\nplatforms = [\"linux/{platform}\"]\n"
        )
    };
    let both =
        format!("{IMAGE}platforms = [\"linux/amd64\", \"linux/arm64\"]\n{}{}", archive("amd64"), archive("arm64"));
    read(&both);
    one(
        &both.replace("[\"linux/arm64\"]", "[\"linux/arm64\", \"linux/amd64\"]"),
        5,
        "7:8: there is another archive with the name `tini`",
    );
}

#[test]
fn what_is_not_unpacked_says_nothing_of_unpacking() {
    let archive = |rest: &str| format!("[[archive]]\nname = \"a\"\npath = \"a\"\ninto = \"/a\"\n{rest}");
    wrong_image(&archive("unpack = false\nstrip = 1\n"), "6:9: `strip` is about unpacking");
    wrong_image(&archive("unpack = false\nonly = [\"*\"]\n"), "6:8: `only` is about unpacking");
    wrong_image(
        &archive("mode = \"0755\"\n"),
        "5:8: what is unpacked brings its own modes | remove `mode`, or say `unpack = false`",
    );
    read(&format!("{IMAGE}{}", archive("unpack = false\nmode = \"0755\"\n")));
    read(&format!("{IMAGE}{}", archive("strip = 1\n")));
}

#[test]
fn platforms_of_parts_are_platforms_of_the_recipe() {
    wrong_image(
        "[[plugin]]\nname = \"a\"\nplatforms = [\"linux/arm64\"]\n",
        "3:13: this recipe is not baked for `linux/arm64`",
    );
    let archive = "[[archive]]\nname = \"a\"\npath = \"a\"\ninto = \"/a\"\n";
    wrong_image(
        &format!("{archive}platforms = [\"linux/arm64\"]\n"),
        "5:13: this recipe is not baked for `linux/arm64`",
    );
    read(&format!("{IMAGE}platforms = [\"linux/arm64\"]\n{archive}platforms = [\"linux/arm64\"]\n"));
}

#[test]
fn what_is_taken_out_of_jars_is_named() {
    let jar = |remove: &str| format!("[[jar]]\nname = \"a\"\npath = \"/lib/*.jar\"\nremove = {remove}\n");
    read(&format!("{IMAGE}{}", jar("[\"org/example/A.class\"]")));
    wrong_image(&jar("[]"), "4:10: there is nothing to take out | name a class");
    wrong_image(&jar("[\"/A.class\"]"), "4:10: `/A.class` is nothing that a jar holds | paths in jars begin without");
    wrong_image(&jar("[\"\"]"), "4:10: `` is nothing that a jar holds");
}

#[test]
fn short_texts_keep_their_grammar() {
    wrong_image("[config]\nports = [\"9200-9300\"]\n", "2:10: `9200-9300` is no port: it is a number from 1 to 65535");
    wrong_image("[config.env]\n\"A=B\" = \"\"\n", "2:1: `A=B` is no environment variable");
    wrong_image("[config]\nenv_remove = [\"\"]\n", "2:15: `` is no environment variable");
    wrong_image("[config]\nstop_signal = \"TERM\"\n", "2:15: `TERM` is no signal: it is a name such as `SIGTERM`");
    wrong_image("[config]\nuser = \"a b\"\n", "2:8: `a b` is no user");
    wrong_image("[runtime.ulimits]\nfiles = { soft = 1, hard = 1 }\n", "2:1: `files` is no limit: ECS knows core");
    wrong_image("[runtime.ulimits]\nnofile = { soft = 2, hard = 1 }\n", "2:19: the soft limit is above the hard one");
    wrong_image("[runtime.ulimits]\nnofile = { soft = -1, hard = 1 }\n", "2:19: the soft limit is above the hard one");
    wrong_image("[runtime.ulimits]\nnofile = { soft = -2, hard = 1 }\n", "2:19: a limit is -1 for none");
    read(&format!(
        "{IMAGE}[runtime.ulimits]\nmemlock = {{ soft = -1, hard = -1 }}\nnofile = {{ soft = 65535, hard = -1 }}\n"
    ));
    wrong_image("[runtime.sysctls]\nmax = \"1\"\n", "2:1: `max` is no kernel setting");
    wrong_image("[runtime.health_check]\ncommand = [\"curl\"]\n", "2:11: this begins with \"CMD\" or \"CMD-SHELL\"");
    wrong_image("[[run]]\nname = \"a\"\ncommand = []\n", "3:11: there is no program to run");
    wrong_image(
        "[[run]]\nname = \"a\"\ncommand = [\"a\"]\nnetwork = \"bridge\"\n",
        "4:11: `bridge` is no network of a command",
    );
    wrong_ami("[sysctl]\n\"vm.swappiness\" = 1.5\n", "2:19: this has to be a string or a whole number, it is a float");
    wrong_ami("[sysctl]\nswappiness = 1\n", "2:1: `swappiness` is no kernel setting");
    wrong_ami("[ecs]\nCLUSTER = \"a\"\n", "2:1: `CLUSTER` is no setting of the ECS agent");
    wrong_ami("instance_types = [\"xlarge\"]\n", "1:19: `xlarge` is no instance type");
    wrong_ami("[ami.share]\naccounts = [\"1\"]\n", "2:13: `1` is no AWS account: it has 12 digits");
    wrong_ami(
        "[[volume]]\nname = \"a\"\nkind = \"gp3\"\ndevice = \"/dev/nvme1n1\"\n",
        "4:10: `/dev/nvme1n1` is no device name",
    );
    wrong_ami("[[volume]]\nname = \"a\"\nkind = \"gp33\"\n", "3:8: `gp33` is not known here | did you mean `gp3`?");
    wrong_ami("[ami.regions.europe]\n", "1:14: `europe` is no AWS region");
}

#[test]
fn tests_of_images_say_what_they_look_at() {
    wrong_image("[test.ready]\n", "1:1: this waits for nothing | say `http`, `tcp`, `log` or `exit`");
    wrong_image("[[test.expect]]\ncontains = \"x\"\n", "1:1: an expectation is about one thing");
    wrong_image(
        "[[test.expect]]\nfile = \"/a\"\ncontains = \"x\"\n",
        "3:12: `contains` is about what a command prints",
    );
    wrong_image("[[test.expect]]\ncommand = [\"a\"]\nmode = \"0644\"\n", "3:8: `mode` is about a file");
    wrong_image("[[test.expect]]\nfile = \"/a\"\njson = { \"/a\" = 1 }\n", "3:8: `json` is about an answer");
    wrong_image("[[test.expect]]\nhttp = \"http://localhost\"\njson = { a = 1 }\n", "3:10: `a` is no JSON pointer");
    wrong_image("[test.ready]\ntcp = 1\nlogin = \"a:B\"\n", "3:9: `login` is about an answer");
    wrong_image("[test.ready]\ntcp = 1\nexit = 0\n", "3:8: what has ended answers no more");
    wrong_image("[test.ready]\nhttp = \"https://localhost\"\n", "2:8: smoke tests speak plain HTTP only");
    let (elsewhere, help) = ("2:8: nobody in the test's network is called `es`", "name a recipe under `with`");
    wrong_image(
        "[test.ready]\nhttp = \"http://es:9200\"\n",
        &format!("{elsewhere} | say `localhost` for the container itself, or {help}"),
    );
    let ended = "[test.ready]\nexit = 0\n[[test.expect]]\ncommand = [\"a\"]\n";
    wrong_image(ended, "3:1: nothing can be asked of a container that has ended");
}

#[test]
fn a_host_starts_from_one_image() {
    let base = |base: &str| format!("{AMI}[base]\n{base}");
    one(&base(""), 3, "1:1: nothing says which image to start from | say `ssm`, `name` or `id`");
    one(
        &base("id = \"ami-12345678\"\nname = \"x\"\nowner = \"self\"\n"),
        3,
        "2:6: `name` says already which image to start from",
    );
    one(&base("name = \"x\"\n"), 3, "2:8: anyone may give an image this name, so its owner has to be said");
    one(&base("id = \"ami-1\"\n"), 3, "2:6: `ami-1` is no AMI id: it is `ami-` and 8 to 17 hex digits");
    one(&base("name = \"x\"\nowner = \"canonical\"\n"), 3, "3:9: `canonical` is no owner of an AMI");
    one(&base("ssm = { arm64 = \"/x\", x86_64 = \"/y\" }\n"), 3, "2:17: this recipe is not baked for arm64");
    one(
        &base("ssm = { arm64 = \"/x\" }\n").replace("region", "architectures = [\"x86_64\", \"arm64\"]\nregion"),
        4,
        "2:7: there is no parameter for x86_64",
    );
    one(&base("ssm = { amd64 = \"/x\" }\n"), 3, "2:9: `amd64` is not known here");
    one(
        &base("id = \"ami-12345678\"\n").replace("region", "architectures = [\"x86_64\", \"arm64\"]\nregion"),
        4,
        "2:6: one image is for one processor",
    );
    read(&base("ssm.x86_64 = \"/aws/service/x\"\n"));
}

#[test]
fn all_mistakes_are_told_in_one_run_in_the_order_of_their_places() {
    let all = mistakes(
        "kind = \"image\"\nproduct = \"elastisearch\"\nfrom = \"A B\"\nplatforms = [\"amd64\", \"linux/x\"]\n\
         [[plugin]]\nurl = \"ftp://a\"\n[config]\nenv = [\"A=B\"]\nports = [9200]\n[nonsense]\n",
    );
    let starts = [
        "1:1: `version` is missing",
        "2:11:",
        "3:8:",
        "4:14:",
        "5:1: `name` is missing in `plugin.0`",
        "6:7:",
        "8:7:",
        "9:10:",
        "10:2: unknown key",
    ];
    assert_eq!(all.len(), starts.len(), "{all:#?}");
    for (told, start) in all.iter().zip(starts) {
        assert!(told.starts_with(start), "{told} / {start}");
    }
}

#[test]
fn what_an_image_is_built_on_has_one_spelling() {
    for text in [
        "scratch",
        "a.example/es:8",
        "oci:bases/es",
        "oci:bases/es:8.19.3",
        "oci:es:a.example/es:8",
        "docker-archive:es.tar",
        "rootfs:root.tar.xz",
        "recipe:es",
    ] {
        assert_eq!(text.parse::<super::From>().unwrap().to_string(), text);
    }
    assert!(
        matches!("oci:es:a.example/es:8".parse(), Ok(super::From::Oci(path, Some(tag))) if path.as_str() == "es" && tag.as_str() == "a.example/es:8")
    );
    for wrong in ["oci:", "oci::tag", "oci:es:", "oci:es:a b", "oci:../es", "rootfs:/root.tar", "recipe:A"] {
        assert!(wrong.parse::<super::From>().is_err(), "{wrong}");
    }
}
