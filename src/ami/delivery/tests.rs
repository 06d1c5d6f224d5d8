use std::path::Path;

use super::*;
use crate::ami::Identity;
use crate::local::Local;
use crate::recipe::{self, Recipe};

fn ami(lines: &str) -> Box<AmiRecipe> {
    let text = format!(
        "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase.id = \"ami-0123456789abcdef0\"\n{lines}"
    );
    match recipe::parse(Path::new("r.toml"), &text).unwrap_or_else(|error| panic!("{error}")).value {
        Recipe::Ami(ami) => ami,
        Recipe::Image(_) => panic!("{text}"),
    }
}

fn tuning(ami: &AmiRecipe) -> Tuning {
    let (recipe, version, tag) = ("ecs-host".parse().unwrap(), "1".parse().unwrap(), "1-0123456789ab".parse().unwrap());
    let identity = Identity { recipe: &recipe, version: &version, tag: &tag, key: Digest::of(b"key") };
    Tuning::of(ami, &Local::default(), Path::new("/nowhere"), &identity).unwrap()
}

fn plain(make: impl Fn(&Delivery<'_>) -> UserData, lines: &str) -> String {
    use std::io::Read;
    let ami = ami(lines);
    let tuning = tuning(&ami);
    let made = make(&Delivery { ami: &ami, tuning: &tuning, key: Digest::of(b"key") });
    let mut text = String::new();
    flate2::read::GzDecoder::new(made.bytes()).read_to_string(&mut text).unwrap();
    text
}

fn bake(lines: &str) -> String {
    plain(|delivery| delivery.bake().unwrap(), lines)
}

fn host(lines: &str) -> String {
    plain(|delivery| delivery.host().unwrap(), lines)
}

#[test]
fn the_tuning_of_the_shipped_host_fits_in_both_ways() {
    let text = std::fs::read_to_string("recipes/ecs-host.toml").unwrap();
    let Recipe::Ami(ami) = recipe::parse(Path::new("r.toml"), &text).unwrap().value else { panic!() };
    let tuning = tuning(&ami);
    let delivery = Delivery { ami: &ami, tuning: &tuning, key: Digest::of(b"key") };
    for (most, made) in [(15_300, delivery.bake()), (14_200, delivery.host()), (2_000, delivery.test())] {
        let size = made.unwrap().bytes().len();
        assert!(size < most, "{size}: files of a recipe's own need room, too");
    }
}

#[test]
fn packages_come_by_name_with_what_settings_need_and_by_file_for_their_processor() {
    let lines =
        "packages = { jq = \"*\", sysstat = \"12.6.1-1\" }\n[[firewall]]\nports = [\"9200\"]\nfrom = [\"subnet\"]\n\
        [[package]]\nname = \"a\"\nurl = \"https://e.com/a\"\nchecksum = \"sha256:00\"\narchitecture = \"arm64\"\n"
            .replace("sha256:00", &format!("sha256:{}", "0".repeat(64)));
    let text = bake(&lines);
    assert!(text.contains("\nstep packages install_packages jq sysstat=12.6.1-1 nftables\n"), "{text}");
    let zeros = "0".repeat(64);
    let call =
        format!("\ncase $nonce in *-arm64) step 'package a' install_file https://e.com/a sha256 {zeros} ;; esac\n");
    assert!(text.contains(&call), "{text}");
    let text = host(&lines);
    assert!(
        text.contains("#cloud-config\n{\"packages\":[\"jq\",[\"sysstat\",\"12.6.1-1\"],\"nftables\"]}\n"),
        "{text}"
    );
    assert!(text.contains(&call.replace("step '", "once '")), "{text}");
    assert!(!host("").contains("cloud-config") && !host("").contains("install_file"));
}

/// The shell is full of our own functions, and a command of the recipe's may be called as one of them.
#[test]
fn a_command_is_a_program() {
    let run = "[[run]]\nname = \"what\"\ncommand = [\"file\", \"/etc/x y\"]\n";
    assert!(bake(run).contains("\nstep 'run what' env -- file '/etc/x y'\n"));
}

#[test]
fn users_are_there_before_a_package_makes_them_with_another_number() {
    let text = bake("packages = { jq = \"*\" }\n[[user]]\nname = \"jq\"\nuid = 990\n");
    let users = text.find("\nstep users systemd-sysusers /etc/sysusers.d/90-elkbake.conf\n");
    assert!(users.is_some() && users < text.find("\nstep packages "), "{text}");
    assert!(!bake("").contains("step users"));
}

#[test]
fn a_bake_speaks_before_patience_is_lost() {
    for (timeout, expected) in
        [("", 2400), ("bake.timeout = 60", 3300), ("bake.timeout = 6", 180), ("bake.timeout = 1", 30)]
    {
        assert!(bake(timeout).contains(&format!("\nwatch_over {expected} &\n")), "{timeout}");
    }
}

#[test]
fn a_test_brings_what_the_recipe_expects() {
    let lines = "[test]\ntimeout = 90\n[[test.expect]]\ncommand = [\"a\", \"b c\"]\ncontains = \"it's\"\n\
        [[test.expect]]\nfile = \"/etc/x\"\nowner = \"1:2\"\n";
    let text = plain(|delivery| delivery.test().unwrap(), lines);
    assert!(text.contains("\ncat <<'-'\nis_command 'it'\\''s' a 'b c'\nis_file /etc/x - 1:2\n-\n"), "{text}");
    assert!(text.contains("\nbegin_check 90\n"));
    // Two minutes may go by from when EC2 calls it running until the check begins.
    for lines in [lines, "", "[test]\ntimeout = 4294967295\n"] {
        let ami = ami(lines);
        let begun: u32 = plain(|delivery| delivery.test().unwrap(), lines)
            .split_once("\nbegin_check ")
            .and_then(|(_, rest)| rest.lines().next()?.parse().ok())
            .unwrap();
        assert!(patience(&ami) - begun >= 150 || patience(&ami) == u32::MAX, "{begun} and {}", patience(&ami));
    }
    assert!(!bake(lines).contains("is_command it") && host(lines).contains("is_file /etc/x - 1:2\n"));
}

#[test]
fn the_nonce_of_a_host_is_the_one_that_is_waited_for() {
    use crate::ami::verdict::Nonce;
    use crate::recipe::Architecture;
    let nonce = Nonce::of(&Digest::of(b"key"), Architecture::Arm).to_string();
    let key = nonce.strip_suffix("-arm64").unwrap();
    for text in [bake(""), host(""), plain(|delivery| delivery.test().unwrap(), "")] {
        assert!(text.contains(&format!("\nkey={key}\n")), "{text}");
    }
}
