mod key;

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::digest::Digest;
use crate::lock::{self, Lock};
use crate::name::RecipeName;
use crate::recipe::{self, Recipe};
use crate::text::Document;
use crate::tree::{Entry, Mode, Node, Owner, Tree};

const RECIPE: &str = r#"
kind = "image"
product = "elasticsearch"
version = "8.19.3"
description = "data nodes"
from = "docker.elastic.co/elasticsearch/elasticsearch:8.19.3"
platforms = ["linux/amd64", "linux/arm64"]
repository = "elk/elasticsearch"
compression = "gzip"
remove = ["/usr/share/elasticsearch/modules/x-pack-ml"]

[[plugin]]
name = "discovery-ec2"

[[plugin]]
name = "analysis-icu"
version = "8.19.3"

[[archive]]
name = "agent"
url = "https://example.com/agent.tar.gz"
into = "/opt/agent"
unpack = true
strip = 1
owner = "1000:0"
only = ["lib/**"]
platforms = ["linux/amd64"]

[[run]]
name = "certificates"
command = ["update-ca-certificates", "--fresh"]
env = { LANG = "C" }

[files]
"usr/share/elasticsearch/config/*" = { owner = "1000:0", mode = "0660" }

[config]
user = "1000:0"
env = { ES_PATH_CONF = "/usr/share/elasticsearch/config" }
cmd = ["eswrapper"]

[runtime]
memory = 4096
ulimits = { nofile = { soft = 65536, hard = 65536 } }

[test]
timeout = 60
expect = [{ command = ["true"] }]
"#;

fn lock_text() -> String {
    let sha = |text: &str| Digest::of(text.as_bytes());
    let platform = |name: &str| {
        format!(
            "[[base.platform]]\nname = \"linux/{name}\"\nmanifest = \"{}\"\nproduct_version = \"8.19.3\"\n\
             [[base.platform.layer]]\ndigest = \"{}\"\nsize = 100\n\
             media_type = \"application/vnd.oci.image.layer.v1.tar+gzip\"\n",
            sha(name),
            sha("layer")
        )
    };
    let file = |kind: &str, name: &str, want: &str| {
        format!("[[{kind}]]\nname = \"{name}\"\nwant = \"{want}\"\nsha256 = \"{}\"\nsize = 7\n", sha(name))
    };
    [
        "format = 1\n[base]\nfrom = \"docker.elastic.co/elasticsearch/elasticsearch:8.19.3\"\n".to_owned(),
        platform("amd64"),
        platform("arm64"),
        file("plugin", "discovery-ec2", "elasticsearch:discovery-ec2 8.19.3"),
        file("plugin", "analysis-icu", "elasticsearch:analysis-icu 8.19.3"),
        file("archive", "agent", "https://example.com/agent.tar.gz")
            .replace("want", "platform = \"linux/amd64\"\nwant"),
    ]
    .concat()
}

fn name(text: &str) -> RecipeName {
    text.parse().unwrap()
}

fn recipe(text: &str) -> Document<Recipe> {
    recipe::parse(Path::new("recipes/es.toml"), text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn lock(text: &str) -> Document<Lock> {
    lock::parse(Path::new("recipes/es.lock"), text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn file(content: &str) -> Entry {
    let node = Node::File { digest: Digest::of(content.as_bytes()), size: content.len() as u64 };
    Entry { mode: Mode::new(0o644), owner: Owner::default(), node }
}

fn files() -> Tree {
    let mut tree = Tree::default();
    tree.insert("/etc/es.yml".parse().unwrap(), file("a: 1"));
    tree
}

fn plan_of(recipe_text: &str, lock_text: &str, files: &Tree) -> Result<Plan, PlanError> {
    Plan::new(&name("es"), &recipe(recipe_text), &lock(lock_text), files, None)
}

fn plan() -> Plan {
    plan_of(RECIPE, &lock_text(), &files()).unwrap_or_else(|error| panic!("{error}"))
}

fn image(plan: &Plan) -> &ImagePlan {
    match plan.work() {
        Work::Image(image) => image,
        Work::Ami(_) => panic!("an image was planned as a host"),
    }
}

#[test]
fn a_plan_tells_key_tag_and_layers_of_each_platform() {
    let plan = plan();
    assert_eq!(plan.tag().as_str(), format!("8.19.3-{}", &plan.key().hex()[..12]));
    assert_eq!(image(&plan).repository.as_str(), "elk/elasticsearch");
    let kinds = |i: usize| image(&plan).platforms[i].layers.iter().map(|l| l.what.clone()).collect::<Vec<_>>();
    let plugins = [LayerKind::Plugin("discovery-ec2".into()), LayerKind::Plugin("analysis-icu".into())];
    let agent = LayerKind::Archive("agent".into());
    let [run, first, second] = [LayerKind::Run("certificates".into()), plugins[0].clone(), plugins[1].clone()];
    let arm = [LayerKind::Base, LayerKind::Remove, first.clone(), second.clone(), run.clone(), LayerKind::Files];
    assert_eq!(kinds(0), [LayerKind::Base, LayerKind::Remove, agent, first, second, run, LayerKind::Files]);
    assert_eq!(kinds(1), arm);
    let base = &image(&plan).platforms[0].layers[0];
    assert_eq!((base.digest, base.size), (Some(Digest::of(b"layer")), Some(100)));
    let files = image(&plan).platforms[0].layers.last().unwrap();
    assert_eq!((files.digest, files.size, files.source_size), (None, None, Some(4)));
}

#[test]
fn the_key_is_the_same_in_every_release() {
    // A change here makes every image of every user anew: it needs another KEY_FORMAT, and a reason.
    assert_eq!(KEY_FORMAT, 1);
    assert_eq!(plan().key().hex(), "717a9d7f10f2d7d59cd35126b0130b0f91384d5bbdf9cb7e50da7684a83e6725");
}

#[test]
fn a_layer_has_another_input_only_when_something_of_it_or_below_it_changed() {
    let inputs = |plan: &Plan| -> Vec<Digest> { image(plan).platforms[1].layers.iter().map(|l| l.input).collect() };
    let changed = |recipe: &str, lock: &str, files: &Tree| -> Vec<usize> {
        let (before, after) = (inputs(&plan()), inputs(&plan_of(recipe, lock, files).unwrap()));
        (0..before.len()).filter(|&i| before[i] != after[i]).collect()
    };
    let mut other = files();
    other.insert("/etc/es.yml".parse().unwrap(), file("a: 2"));
    assert_eq!(changed(RECIPE, &lock_text(), &other), [5]);
    assert_eq!(changed(&RECIPE.replace("memory = 4096", "memory = 1"), &lock_text(), &files()), [0; 0]);
    assert_eq!(
        changed(&RECIPE.replace("LANG = \"C\"", "LANG = \"D\""), &lock_text(), &files()),
        [4, 5],
        "what lies above may build on it"
    );
    let icu = lock_text().replace(&Digest::of(b"analysis-icu").hex(), &Digest::of(b"other").hex());
    assert_eq!(changed(RECIPE, &icu, &files()), [3, 4, 5]);
    let base = lock_text().replace(&Digest::of(b"arm64").hex(), &Digest::of(b"other").hex());
    assert_eq!(changed(RECIPE, &base, &files()), [1, 2, 3, 4, 5]);
    let zstd = RECIPE.replace("\"gzip\"", "\"zstd\"");
    assert_eq!(changed(&zstd, &lock_text(), &files()), [1, 2, 3, 4, 5]);
    // The files are the same with and without it, but a folder of the base gets the owner that a rule says.
    let owned = RECIPE.replace("[files]\n", "[files]\n\"etc\" = { owner = \"0:0\" }\n");
    assert_eq!(changed(&owned, &lock_text(), &files()), [5]);
}

/// A jar may be of a plugin, and a command or a file of the recipe's own sees what is left of it. A plugin sees the
/// plugins before it: Logstash's `Gemfile` names them all.
#[test]
fn jars_are_changed_when_all_that_brings_jars_is_there() {
    let jar = "[[jar]]\nname = \"log4shell\"\npath = \"/lib/*.jar\"\nremove = [\"A.class\"]\n";
    let with = |lock: &str, jar: &str| {
        let logstash = RECIPE.replace("[[run]]", &format!("{jar}[[run]]"));
        let plan = plan_of(&logstash, lock, &files()).unwrap();
        image(&plan).platforms[1].layers.iter().map(|layer| (layer.what.to_string(), layer.input)).collect::<Vec<_>>()
    };
    let (before, plain) = (with(&lock_text(), jar), with(&lock_text(), ""));
    let kinds: Vec<_> = before.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(
        kinds[2..],
        ["plugin discovery-ec2", "plugin analysis-icu", "jar log4shell", "run certificates", "files"]
    );
    assert_eq!(before[..4], plain[..4]);
    assert_ne!(before[5], plain[4]);
    let changed = |after: &[(String, Digest)]| (0..before.len()).filter(|&i| before[i] != after[i]).collect::<Vec<_>>();
    assert_eq!(changed(&with(&lock_text(), &jar.replace("A.class", "B.class"))), [4, 5, 6]);
    let plugin = lock_text().replace(&Digest::of(b"discovery-ec2").hex(), &Digest::of(b"other").hex());
    assert_eq!(changed(&with(&plugin, jar)), [2, 3, 4, 5, 6]);
}

#[test]
fn comments_order_and_layout_do_not_count() {
    let value: toml::Table = toml::from_str(RECIPE).unwrap();
    let rewritten = format!("# another comment\n\n{}", toml::to_string_pretty(&value).unwrap());
    assert_ne!(rewritten, RECIPE);
    let other = plan_of(&rewritten, &format!("# c\n{}", lock_text()), &files()).unwrap();
    assert_eq!(other.key(), plan().key());
}

#[test]
fn the_recipes_name_does_not_count() {
    let other = Plan::new(&name("other"), &recipe(RECIPE), &lock(&lock_text()), &files(), None).unwrap();
    assert_eq!(other.key(), plan().key());
}

#[test]
fn the_order_of_archives_and_plugins_counts() {
    let swapped = RECIPE.replace("name = \"discovery-ec2\"\n", "name = \"TMP\"\n");
    let swapped = swapped.replace("name = \"analysis-icu\"\nversion = \"8.19.3\"", "name = \"discovery-ec2\"");
    let swapped = swapped.replace("name = \"TMP\"\n", "name = \"analysis-icu\"\nversion = \"8.19.3\"\n");
    let other = plan_of(&swapped, &lock_text(), &files()).unwrap();
    let changes: Vec<_> = other.compare(&plan().inputs()).iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["the order of [[plugin]] in the recipe changed"]);
}

#[test]
fn what_changed_is_told_in_peoples_words() {
    let mut tree = files();
    tree.insert("/etc/es.yml".parse().unwrap(), file("a: 2"));
    tree.insert("/etc/new".parse().unwrap(), file(""));
    let text = RECIPE
        .replace("LANG = \"C\"", "LANG = \"D\"")
        .replace("user = \"1000:0\"\n", "")
        .replace("ES_PATH_CONF = ", "OTHER = ")
        .replace("[[plugin]]\nname = \"analysis-icu\"\nversion = \"8.19.3\"\n", "");
    let mut before = plan().inputs();
    before.insert("format".to_owned(), Digest::of(b"0"));
    before.insert("parent elastic".to_owned(), Digest::of(b"0"));
    let after = super::key::inputs(&recipe(&text), &lock(&lock_text_without_icu()), &tree, None);
    let told: Vec<_> = compare(&before, &after.iter().collect()).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "file /etc/es.yml changed",
            "file /etc/new added",
            "the key format changed",
            "plugin analysis-icu removed in the lock",
            "the recipe elastic that this builds on removed",
            "recipe key config.env changed",
            "recipe key config.user removed",
            "plugin analysis-icu removed in the recipe",
            "run certificates changed in the recipe",
        ]
    );
}

fn lock_text_without_icu() -> String {
    let text = lock_text();
    let start = text.find("[[plugin]]\nname = \"analysis-icu\"").unwrap();
    let end = text.find("[[archive]]").unwrap();
    format!("{}{}", &text[..start], &text[end..])
}

#[test]
fn what_does_not_fit_together_is_refused_at_its_place() {
    let refused = |recipe_text: &str, lock_text: &str| {
        let error = plan_of(recipe_text, lock_text, &files()).unwrap_err();
        (error.to_string(), recipe_text[error.span.clone()].to_owned(), error.problems()[0].help.clone().unwrap())
    };
    let (message, place, help) = refused(RECIPE, &lock_text_without_icu());
    assert_eq!(message, "recipe es: the lock is stale: plugin analysis-icu is not in the lock");
    assert_eq!(place, "\"analysis-icu\"");
    assert_eq!(help, "run `elkbake lock`");
    let error = plan_of(&RECIPE.replace("8.19.3", "8.19.4"), &lock_text_without_icu(), &files()).unwrap_err();
    let told: Vec<_> = error.problems().iter().map(|problem| problem.message.clone()).collect();
    assert!(told.len() > 1 && told.iter().all(|message| message.starts_with("the lock is stale: ")), "{told:?}");
    let old = lock_text().replacen("product_version = \"8.19.3\"", "product_version = \"8.18.1\"", 1);
    let (message, place, _) = refused(RECIPE, &old);
    assert_eq!(message, "recipe es: the recipe says 8.19.3, the base is 8.18.1");
    assert_eq!(place, "\"8.19.3\"");
    let module = lock_text().replacen("product_version", "modules = [\"analysis-icu\"]\nproduct_version", 1);
    let (message, place, help) = refused(RECIPE, &module);
    assert_eq!(message, "recipe es: the base has `analysis-icu` as a module already");
    assert_eq!((place.as_str(), help.as_str()), ("\"analysis-icu\"", "remove the plugin from the recipe"));
    let generic = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"a.b/c:1\"\n";
    let locked = format!(
        "format = 1\n[base]\nfrom = \"a.b/c:1\"\n[[base.platform]]\nname = \"linux/amd64\"\n\
        product_version = \"24.04\"\nmanifest = \"{}\"\n",
        Digest::of(b"")
    );
    assert!(plan_of(generic, &locked, &files()).is_ok(), "a generic image has no version to compare");
}

#[test]
fn a_recipe_builds_on_a_recipe() {
    let child = "kind = \"image\"\nproduct = \"elasticsearch\"\nversion = \"8.19.3\"\nfrom = \"recipe:es\"\n";
    let child_lock = "format = 1\n[base]\nfrom = \"recipe:es\"\n";
    let on = |text: &str, parent: Option<&Plan>| {
        Plan::new(&name("child"), &recipe(text), &lock(child_lock), &Tree::default(), parent)
    };
    let parent = plan();
    let made = on(child, Some(&parent)).unwrap();
    assert_eq!(image(&made).platforms[0].layers.len(), image(&parent).platforms[0].layers.len());
    assert!(image(&made).platforms[0].layers.iter().all(|layer| layer.what == LayerKind::Base));
    let changed = plan_of(&RECIPE.replace("4096", "8192"), &lock_text(), &files()).unwrap();
    assert_ne!(on(child, Some(&changed)).unwrap().key(), made.key());
    let refused = |text: &str, parent: Option<&Plan>| on(text, parent).unwrap_err().misfit;
    assert_eq!(refused(child, None), Misfit::NoParent(name("es")));
    assert_eq!(refused(child, Some(&made)), Misfit::NoParent(name("es")));
    assert!(matches!(refused(&child.replace("8.19.3", "8.19.4"), Some(&parent)), Misfit::Version { .. }));
    let riscv = format!("{child}platforms = [\"linux/riscv64\"]\n");
    assert!(matches!(refused(&riscv, Some(&parent)), Misfit::ParentPlatform { .. }));
}

#[test]
fn recipes_in_a_circle_are_refused_by_name() {
    let builds_on = |parent: &str| {
        recipe(&format!("kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{parent}\"\n"))
    };
    let host = recipe("kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\n[base]\nid = \"ami-12345678\"\n");
    let all = BTreeMap::from([
        (name("a"), builds_on("recipe:b")),
        (name("b"), builds_on("recipe:c")),
        (name("c"), builds_on("scratch")),
        (name("d"), builds_on("recipe:e")),
        (name("e"), builds_on("recipe:f")),
        (name("f"), builds_on("recipe:e")),
        (name("g"), builds_on("recipe:h")),
        (name("h"), host),
        (name("i"), builds_on("recipe:gone")),
        (name("j"), builds_on("recipe:j")),
    ]);
    let line = |of: &str| lineage(&name(of), &all[&name(of)], |name| all.get(name));
    assert_eq!(line("a").unwrap(), [name("c"), name("b")]);
    assert_eq!(line("c").unwrap(), []);
    let error = line("d").unwrap_err();
    assert_eq!(error.to_string(), "recipe f: recipes build on each other in a circle: e -> f -> e");
    assert_eq!(line("g").unwrap_err().misfit, Misfit::ParentIsHost(name("h")));
    assert_eq!(line("i").unwrap_err().misfit, Misfit::NoParent(name("gone")));
    assert_eq!(line("j").unwrap_err().misfit, Misfit::Circle(vec![name("j"), name("j")]));
}

#[test]
fn a_host_is_planned_with_its_base_and_disks() {
    let text = "kind = \"ami\"\nversion = \"1.0\"\nregion = \"eu-west-1\"\n[base]\nid = \"ami-12345678\"\n\
        [[volume]]\nname = \"data\"\nkind = \"gp3\"\nsize = 250\n[ami.regions.eu-central-1]\n[packages]\njq = \"*\"\n";
    let lock_text = "format = 1\n[[ami]]\narchitecture = \"x86_64\"\nregion = \"eu-west-1\"\n\
        want = \"id:ami-12345678 in eu-west-1\"\nid = \"ami-12345678\"\nname = \"ecs\"\nowner = \"amazon\"\nsnapshot = \"snap-1\"\n\
        root_device = \"/dev/xvda\"\ncreated = \"2026\"\n";
    let made = plan_of(text, lock_text, &files()).unwrap();
    let Work::Ami(host) = made.work() else { panic!("a host was planned as an image") };
    assert_eq!((host.base[0].id.as_str(), host.files, host.bytes), ("ami-12345678", 1, 4));
    assert_eq!((host.volumes[0].size, host.regions.len(), host.packages.len()), (Some(250), 1, 1));
    assert!(made.tag().as_str().starts_with("1.0-"));
    assert!(made.inputs().contains_key("recipe volume data") && made.inputs().contains_key("lock ami x86_64"));
}
