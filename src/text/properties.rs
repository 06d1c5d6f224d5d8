//! What always holds, tried on recipes: they use all that can be declared.
#![allow(clippy::format_push_string, clippy::format_collect, reason = "a text that is put together reads best so")]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::{DeTable, Document, decode};
use crate::lock;
use crate::recipe::{self, Recipe};

/// Words of recipes in an order that makes no sense.
fn soup() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "kind",
        "=",
        "\"image\"",
        "\"ami\"",
        "product",
        "\"kibana\"",
        "version",
        "\"1\"",
        "from",
        "\"scratch\"",
        "\n",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ",",
        ".",
        "plugin",
        "archive",
        "name",
        "url",
        "\"http://a/b\"",
        "config",
        "env",
        "ports",
        "[\"1\"]",
        "base",
        "ssm",
        "id",
        "sysctl",
        "vm.x",
        "1",
        "-1",
        "1.5",
        "true",
        "'",
        "\"",
        "'''",
        "#",
        " ",
        "\\",
        "\u{e4}",
        "\u{feff}",
        "\0",
        "\r",
        "2024-01-01",
        "runtime",
        "ulimits",
        "nofile",
        "soft",
        "hard",
        "volume",
        "test",
    ]);
    proptest::collection::vec(words, 0..80).prop_map(|words| words.join(""))
}

/// What TOML makes of a text, for those that are TOML.
fn syntax_of(text: &str) -> bool {
    DeTable::parse(text).is_ok()
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![any::<String>(), soup(), "(\\PC|\\n){0,200}"]) {
        for result in [recipe::parse(Path::new("r.toml"), &text).map(drop), lock::parse(Path::new("r.lock"), &text).map(drop)] {
            match result {
                Ok(()) => prop_assert!(syntax_of(&text)),
                Err(error) => {
                    prop_assert!(!error.problems.is_empty());
                    prop_assert!(error.problems.is_sorted_by_key(|problem| problem.span.start));
                    for problem in &error.problems {
                        prop_assert!(error.text.get(problem.span.clone()).is_some(), "{:?}", problem);
                        prop_assert!(!problem.message.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_text_or_refused(bytes: Vec<u8>) {
        let is_text = String::from_utf8(bytes.clone()).is_ok();
        prop_assert_eq!(decode(Path::new("r"), bytes).is_ok(), is_text);
    }
}

#[derive(Clone, Debug)]
struct Made {
    version: String,
    platforms: Vec<&'static str>,
    plugins: BTreeMap<String, Option<String>>,
    env: BTreeMap<String, String>,
    memory: Option<u32>,
    cmd: Vec<String>,
}

fn made() -> impl Strategy<Value = Made> {
    (
        "[0-9]{1,3}(\\.[0-9]{1,3}){0,2}",
        prop::sample::subsequence(vec!["linux/amd64", "linux/arm64", "linux/arm/v7"], 1..=3),
        proptest::collection::btree_map("[a-z]{1,5}(-[a-z0-9]{1,5})?", proptest::option::of("[0-9]\\.[0-9]"), 0..4),
        proptest::collection::btree_map("[^=\\x00]{1,8}", "[^\\x00]{0,8}", 0..4),
        proptest::option::of(1u32..),
        proptest::collection::vec("[^\\x00]{0,6}", 0..3),
    )
        .prop_map(|(version, platforms, plugins, env, memory, cmd)| Made {
            version,
            platforms,
            plugins,
            env,
            memory,
            cmd,
        })
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A key may not be written as a string of several lines, which the printer of values likes.
fn quoted_key(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// The same recipe as text, in one of several layouts.
fn printed(made: &Made, layout: usize) -> String {
    let list = |items: Vec<String>| {
        if layout == 1 { format!("[\n  {},\n]", items.join(" , # x\n  ")) } else { format!("[{}]", items.join(", ")) }
    };
    let list = |items: Vec<String>| if items.is_empty() { "[]".to_owned() } else { list(items) };
    let mut platforms: Vec<_> = made.platforms.iter().map(|name| quoted(name)).collect();
    let mut top = vec![
        "kind = \"image\"".to_owned(),
        "product = \"elasticsearch\"".to_owned(),
        format!("version = {}", quoted(&made.version)),
        "from = \"scratch\"".to_owned(),
    ];
    if layout == 1 {
        top.reverse();
        platforms.reverse();
    }
    top.push(format!("platforms = {}", list(platforms)));
    let mut text = top.join(if layout == 1 { "  # why\n\n" } else { "\n" }) + "\n";
    if layout == 1 {
        text += &format!("config.cmd = {}\n", list(made.cmd.iter().map(|word| quoted(word)).collect()));
        for (name, value) in &made.env {
            text += &format!("config.env.{} = {}\n", quoted_key(name), quoted(value));
        }
        if made.env.is_empty() {
            text += "config.env = {}\n";
        }
    } else {
        let env: Vec<_> =
            made.env.iter().map(|(name, value)| format!("{} = {}", quoted_key(name), quoted(value))).collect();
        text += &format!(
            "[config]\ncmd = {}\nenv = {{{}}}\n",
            list(made.cmd.iter().map(|word| quoted(word)).collect()),
            env.join(", ")
        );
    }
    for (name, version) in &made.plugins {
        text += &format!("[[plugin]]\nname = {}\n", quoted(name));
        text += &version.iter().map(|version| format!("version = {}\n", quoted(version))).collect::<String>();
    }
    text + &made.memory.map(|memory| format!("[runtime]\nmemory = {memory}\n")).unwrap_or_default()
}

fn image(text: &str) -> Document<Recipe> {
    recipe::parse(Path::new("r.toml"), text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_in_any_layout(made in made()) {
        let (plain, other) = (image(&printed(&made, 0)), image(&printed(&made, 1)));
        prop_assert_eq!(&plain.canonical, &other.canonical);
        prop_assert_eq!(&plain.value, &other.value);
        let Recipe::Image(read) = plain.value else { panic!() };
        let config = read.config.unwrap();
        prop_assert_eq!(read.version.as_str(), &made.version);
        prop_assert_eq!(read.platforms.len(), made.platforms.len());
        prop_assert_eq!(config.env, made.env);
        prop_assert_eq!(config.cmd.unwrap(), made.cmd);
        prop_assert_eq!(read.runtime.and_then(|runtime| runtime.memory), made.memory);
        let plugins: Vec<_> = read.plugin.into_iter().map(|plugin| (plugin.name, plugin.version.map(|version| version.to_string()))).collect();
        prop_assert_eq!(plugins, made.plugins.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn two_recipes_have_one_canonical_form_only_when_they_say_the_same(one in made(), other in made(), which in 0..6) {
        // Differing in one thing at most, which is the hardest to tell.
        let mut near = one.clone();
        match which {
            0 => near.version = other.version,
            1 => near.platforms = other.platforms,
            2 => near.plugins = other.plugins,
            3 => near.env = other.env,
            4 => near.memory = other.memory,
            _ => near.cmd = other.cmd,
        }
        let (one, near) = (image(&printed(&one, 0)), image(&printed(&near, 1)));
        prop_assert_eq!(one.canonical == near.canonical, one.value == near.value);
    }
}
