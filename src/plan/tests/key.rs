use std::collections::BTreeSet;

use proptest::prelude::*;
use toml::Value;

use super::super::input::Inputs;
use super::super::key as plan_key;
use super::*;

/// Every way to change one leaf of a TOML value, or to leave it out.
fn changes(value: &Value, path: &str, into: &mut Vec<(String, Value)>, put: &dyn Fn(Option<Value>) -> Value) {
    match value {
        Value::Table(table) => {
            for (key, inner) in table {
                let put = |new: Option<Value>| {
                    let mut table = table.clone();
                    match new {
                        Some(new) => drop(table.insert(key.clone(), new)),
                        None => drop(table.remove(key)),
                    }
                    put(Some(Value::Table(table)))
                };
                into.push((format!("{path}.{key} left out"), put(None)));
                changes(inner, &format!("{path}.{key}"), into, &put);
            }
        }
        Value::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                let put = |new: Option<Value>| {
                    let mut items = items.clone();
                    match new {
                        Some(new) => items[i] = new,
                        None => drop(items.remove(i)),
                    }
                    put(Some(Value::Array(items)))
                };
                into.push((format!("{path}.{i} left out"), put(None)));
                changes(inner, &format!("{path}.{i}"), into, &put);
            }
        }
        Value::String(text) => {
            let digits = text
                .strip_suffix(|c: char| c.is_ascii_hexdigit())
                .map(|rest| [format!("{rest}0"), format!("{rest}1")].into_iter().find(|new| new != text).unwrap());
            for new in [Some(format!("{text}x")), Some("linux/s390x".to_owned()), digits].into_iter().flatten() {
                into.push((format!("{path} = {new}"), put(Some(Value::String(new)))));
            }
        }
        Value::Integer(number) => into.push((format!("{path} + 1"), put(Some(Value::Integer(number + 1))))),
        Value::Boolean(is) => into.push((format!("not {path}"), put(Some(Value::Boolean(!is))))),
        Value::Float(_) | Value::Datetime(_) => panic!("no such value is in the sample"),
    }
}

fn all_changes(text: &str) -> Vec<(String, String)> {
    let value: toml::Table = toml::from_str(text).unwrap();
    let mut found = Vec::new();
    changes(&Value::Table(value), "", &mut found, &|new| new.unwrap());
    found.into_iter().map(|(what, value)| (what, toml::to_string(&value).unwrap())).collect()
}

#[test]
fn any_single_change_to_a_recipe_changes_the_key() {
    let (lock, files) = (lock(&lock_text()), files());
    let before = plan_key::inputs(&recipe(RECIPE), &lock, &files, None).key();
    let mut keys = BTreeSet::from([before]);
    let mut read = BTreeSet::new();
    for (what, text) in all_changes(RECIPE) {
        // What is no recipe any more has no key.
        if let Ok(changed) = recipe::parse(Path::new("r.toml"), &text) {
            assert!(keys.insert(plan_key::inputs(&changed, &lock, &files, None).key()), "{what} makes no new key");
            read.insert(what);
        }
    }
    for sure in
        [".version = 8.19.3x", ".archive.0.strip + 1", ".archive.0.only.0 = lib/**x", ".config.cmd.0 = eswrapperx"]
    {
        assert!(read.contains(sure), "{sure} was not tried: {read:?}");
    }
    assert!(read.len() > 50, "only {} changes were tried", read.len());
}

#[test]
fn any_single_change_to_a_lock_changes_the_key() {
    let (recipe, files) = (recipe(RECIPE), files());
    let key = |lock: &Document<Lock>| plan_key::inputs(&recipe, lock, &files, None).key();
    let before = key(&lock(&lock_text()));
    let mut keys = BTreeSet::from([before]);
    let mut tried = 0;
    for (what, text) in all_changes(&lock_text()) {
        if let Ok(changed) = lock::parse(Path::new("r.lock"), &text) {
            if lock::FACTS.iter().any(|fact| what.starts_with(".base.platform.") && what.contains(fact)) {
                assert_eq!(key(&changed), before, "{what} says nothing new");
                continue;
            }
            assert!(keys.insert(key(&changed)), "{what} makes no new key");
            tried += 1;
        }
    }
    assert!(tried > 40, "only {tried} changes were tried");
}

#[test]
fn what_a_lock_knows_of_its_base_makes_no_new_key() {
    let key = |text: &str| plan_key::inputs(&recipe(RECIPE), &lock(text), &files(), None).key();
    let known = "product_version = \"8.19.3\"\njava_version = \"21\"\nread_for = \"elasticsearch\"\n\
        modules = [\"reindex\"]\nthere = { \"/usr\" = \"folder 0755 0:0\", \"/srv\" = \"nothing\" }\n";
    let knows = lock_text().replace("product_version = \"8.19.3\"\n", known);
    assert_eq!(key(&knows), key(&lock_text()));
    assert_eq!(key(&lock_text().replace("product_version = \"8.19.3\"\n", "")), key(&lock_text()));
}

/// A host with every table, as far as a key may tell them apart.
const HOST: &str = r#"
kind = "ami"
version = "1"
description = "data hosts"
base = { name = "al2023-*", owner = "amazon" }
architectures = ["x86_64"]
region = "eu-west-1"
sysctl = { "vm.swappiness" = 1 }
packages = { sysstat = "*" }
cloudwatch = { agent = { run_as_user = "root" } }
docker = { flags = ["--debug"], daemon = { live-restore = true } }
host = { huge_pages = "never", time_servers = ["a"], enable = ["a.service"] }
volume = [{ name = "data", kind = "gp3", size = 9, device = "/dev/xvdf", mount = "/data" }]
folder = [{ path = "/data/es", owner = "1000:0" }]
firewall = [{ ports = ["9200"], from = ["subnet"] }]
user = [{ name = "es", uid = 990 }]
run = [{ name = "a", command = ["true"] }]

[ami]
encrypted = true
imds_v2 = true
keep = 3
deprecate_after = 9
tags = { team = "elk" }
ssm_parameter = "/elk/ami"
regions = { eu-central-1 = { kms_key = "alias/elk" } }
share = { accounts = ["111122223333"] }

[bake]
spot = true
timeout = 9
instance_types = { x86_64 = "m6i.large" }

[test]
timeout = 9
expect = [{ command = ["true"] }]
"#;

#[test]
fn where_an_ami_goes_and_how_it_is_tested_makes_no_new_key_and_all_else_does() {
    let (lock, files) = (lock("format = 1"), files());
    let key = |recipe: &Document<Recipe>| plan_key::inputs(recipe, &lock, &files, None).key();
    let before = key(&recipe(HOST));
    let mut keys = BTreeSet::from([before]);
    let (mut new, mut same) = (0, 0);
    for (what, text) in all_changes(HOST) {
        let Ok(changed) = recipe::parse(Path::new("r.toml"), &text) else { continue };
        let is_default = [".ami.encrypted left out", ".ami.imds_v2 left out"].contains(&&*what);
        let is_of_image = what.starts_with("not .ami.");
        let is_apart =
            [".ami", ".bake", ".test"].iter().any(|table| what.trim_start_matches("not ").starts_with(table));
        if is_default || (is_apart && !is_of_image) {
            assert_eq!(key(&changed), before, "{what} makes a new key");
            same += 1;
        } else {
            assert!(keys.insert(key(&changed)), "{what} makes no new key");
            new += 1;
        }
    }
    assert!(new > 30 && same > 15, "only {new} and {same} changes were tried");
}

#[test]
fn formats_of_hosts_have_no_say_in_images() {
    let inputs = |text: &str| plan_key::inputs(&recipe(text), &lock("format = 1"), &files(), None);
    assert!(inputs(HOST).said.contains_key("format host"));
    assert!(!inputs(RECIPE).said.contains_key("format host"));
}

fn entry() -> impl Strategy<Value = Entry> {
    let node = prop_oneof![
        Just(Node::Folder),
        "[a-c]{0,2}".prop_map(|content| Node::File { digest: Digest::of(content.as_bytes()), size: 1 }),
        "[a-c]{0,2}".prop_map(Node::Link),
    ];
    (0_u16..4, 0_u32..2, 0_u32..2, node).prop_map(|(mode, uid, gid, node)| Entry {
        mode: Mode::new(mode),
        owner: Owner { uid, gid },
        node,
    })
}

fn tree() -> impl Strategy<Value = Vec<(String, Entry)>> {
    proptest::collection::vec(("/[ab]/[ab\n ]{1,3}", entry()), 0..5)
}

fn build(entries: &[(String, Entry)]) -> Tree {
    let mut tree = Tree::default();
    for (path, entry) in entries {
        tree.insert(path.parse().unwrap(), entry.clone());
    }
    tree
}

proptest! {
    #[test]
    fn two_trees_have_one_key_only_when_they_are_equal(a in tree(), b in tree()) {
        let (recipe, lock) = (recipe("kind='image'\nproduct='generic'\nversion='1'\nfrom='scratch'"), lock("format=1"));
        let key = |tree: &Tree| plan_key::inputs(&recipe, &lock, tree, None).key();
        let (left, right) = (build(&a), build(&b));
        prop_assert_eq!(key(&left) == key(&right), left == right);
        let mut again: Vec<_> = left.iter().map(|(path, entry)| (path.to_string(), entry.clone())).collect();
        again.reverse();
        prop_assert_eq!(key(&build(&again)), key(&left));
    }

    #[test]
    fn two_lists_of_inputs_have_one_key_only_when_they_are_equal(
        a in proptest::collection::btree_map("[ab:\n]{0,3}", 0_u8..3, 0..4),
        b in proptest::collection::btree_map("[ab:\n]{0,3}", 0_u8..3, 0..4),
    ) {
        let inputs = |map: &BTreeMap<String, u8>| map.iter().map(|(k, v)| (k.clone(), Digest::of(&[*v]))).collect();
        let key = |map: &BTreeMap<String, u8>| Inputs::new(inputs(map), Vec::new()).key();
        prop_assert_eq!(key(&a) == key(&b), a == b);
        prop_assert_eq!(compare(&inputs(&a), &inputs(&b)).is_empty(), a == b);
    }
}

#[test]
fn inputs_of_one_name_all_count() {
    let twice =
        format!("{RECIPE}\n[[archive]]\nname='agent'\nurl='https://b/'\ninto='/x'\nplatforms=['linux/arm64']\n");
    let other = twice.replace("into='/x'", "into='/y'");
    let inputs = |text: &str| plan_key::inputs(&recipe(text), &lock("format=1"), &files(), None);
    assert_ne!(inputs(&twice), inputs(&other));
    assert_eq!(inputs(&twice).said.keys().filter(|name| name.contains("archive agent")).count(), 2);
}
