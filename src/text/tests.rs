//! Texts that are none, and texts that are hostile.
#![allow(unreachable_pub, reason = "what is declared as a table is public")]

use std::fmt::Write as _;
use std::path::Path;

use super::{Document, LONGEST_TEXT, Read, Reader, TextError, decode, parse, table};
use crate::recipe;

table! {
    /// A table of all kinds of fields.
    pub struct Sample {
        /// Required.
        pub name: String,
        /// With a default.
        pub count: u16 = 3,
        /// A list.
        pub list: Vec<String>,
        /// A set.
        pub set: std::collections::BTreeSet<u32>,
        /// Anything.
        pub any: Option<serde_json::Value>,
        /// A table.
        pub inner: Option<Inner>,
    }

    /// A table in a table.
    pub struct Inner {
        /// Required.
        pub on: bool,
    }
}

fn sample(text: &str) -> Result<Document<Sample>, TextError> {
    parse(Path::new("s.toml"), text)
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = sample(text).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.text, text);
}

#[test]
fn a_text_is_read_with_its_defaults() {
    let read = sample("name = \"a\"\nset = [2, 1]\n").unwrap().value;
    assert_eq!((read.name.as_str(), read.count, read.list.len(), read.set.len()), ("a", 3, 0, 2));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let decode = |bytes: &[u8]| decode(Path::new("r.toml"), bytes.to_vec());
    assert_eq!(decode(b"a = \"\xC3\xA4\xFF\"").unwrap_err().to_string(), "r.toml:1:7: byte 7 is not UTF-8");
    assert_eq!(decode(b"\xFF\xFEa\0").unwrap_err().to_string(), "r.toml:1:1: this file is UTF-16");
    assert_eq!(decode(b"\xEF\xBB\xBFa = 1").unwrap(), "a = 1");
    assert_eq!(decode(b"").unwrap(), "");
    let long = decode(&vec![b'#'; 10_000_000]).unwrap_err();
    assert_eq!(
        long.to_string(),
        format!("r.toml:1:1: this file has more than {LONGEST_TEXT} bytes, and longer texts are not read")
    );
    assert!(long.text.is_empty());
    assert!(sample(&"#".repeat(LONGEST_TEXT + 1)).unwrap_err().to_string().contains("more than 1048576 bytes"));
}

#[test]
fn what_is_no_toml_is_refused_at_its_place() {
    refused("name = \"a\nlist = []\n", "s.toml:1:10: invalid basic string, expected `\"`");
    refused("name\n", "s.toml:1:5: key with no value, expected `=`");
    refused("name = \"a\"\n[inner\n", "s.toml:2:7: unclosed table, expected `]`");
    refused("name = 'a\0b'\n", "s.toml:1:10: invalid literal string, expected non-single-quote visible characters");
    // Several at once.
    assert_eq!(sample("a\nb\n").unwrap_err().problems.len(), 2);
}

#[test]
fn what_stands_twice_is_told_beside_other_mistakes() {
    refused(
        "name = \"a\"\nname = \"b\"\ncount = \"x\"\n[inner]\non = true\n[inner]\n",
        "s.toml:2:1: `name` is said twice\ns.toml:3:9: this has to be a whole number, it is a string\ns.toml:6:2: `inner` is said twice",
    );
}

#[test]
fn line_ends_and_tabs_of_all_kinds_are_fine() {
    let read = sample("name\t=\t\"a\"\r\n\tlist = [\r\n\t\"b\",\r\n]\r\n").unwrap().value;
    assert_eq!((read.name.as_str(), read.list.len()), ("a", 1));
    refused("name = \"a\"\r\n\r\ncount = true\r\n", "s.toml:3:9: this has to be a whole number, it is a boolean");
    refused(
        "name = \"äöü😀\" # ä\ninner.on = \"ü\"\n",
        "s.toml:2:12: this has to be `true` or `false`, it is a string",
    );
    refused("any = \"😀\"; \n", "s.toml:1:10: unexpected key or value, expected newline, `#`");
}

#[test]
fn numbers_may_be_written_in_every_way_of_toml() {
    for (text, number) in [("1_000", 1000), ("0x10", 16), ("0o17", 15), ("0b11", 3), ("+5", 5), ("65535", 65535)] {
        assert_eq!(sample(&format!("name = \"\"\ncount = {text}")).unwrap().value.count, number);
    }
    for text in ["-1", "65536", "0xFFFFF", "99999999999999999999999"] {
        refused(&format!("name = \"\"\ncount = {text}"), "s.toml:2:9: this has to be a whole number from 0 to 65535");
    }
}

#[test]
fn a_text_that_is_nested_deeply_is_refused_and_overflows_nothing() {
    let told = |text: &str| sample(text).unwrap_err().to_string();
    assert_eq!(told(&"[".repeat(1_000_000)), "s.toml:1:65: this is nested deeper than 64 levels");
    assert!(told(&format!("any = {}", "[".repeat(1_000_000))).contains("nested deeper"));
    assert!(told(&format!("any = {}", "{a=".repeat(300_000))).contains("nested deeper"));
    assert!(told(&format!("[{}a]", "a.".repeat(500_000))).contains("nested deeper"));
    let level = format!("{} = {{ ", ["a"; 79].join("."));
    assert!(told(&format!("{}a=1{}", level.repeat(79), "}".repeat(79))).contains("nested deeper"));
    // What is allowed is read on a small stack, too.
    let deep = format!("name = \"\"\nany = {}{}\n", "[".repeat(60), "]".repeat(60));
    std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(move || sample(&deep).map(drop))
        .unwrap()
        .join()
        .unwrap()
        .unwrap();
}

#[test]
fn a_flood_of_mistakes_is_cut() {
    let mut text = String::new();
    for i in 0..5_000 {
        writeln!(text, "k{i} = 1").unwrap();
    }
    let error = sample(&text).unwrap_err();
    assert_eq!(error.problems.len(), 101);
    assert_eq!(error.problems.last().unwrap().message, "4901 more mistakes follow");
    let error = sample(&format!("{} = 1\nname = \"\"\n", "x".repeat(1_000_000))).unwrap_err();
    assert!(error.to_string().len() < 1000);
    let error = recipe::parse(Path::new("r"), &format!("kind = \"{}\"", "x".repeat(1_000_000))).unwrap_err();
    assert!(error.to_string().len() < 1000);
}

#[test]
fn the_canonical_form_forgets_layout_and_the_order_of_sets_only() {
    let of = |text: &str| sample(text).unwrap().canonical;
    let one =
        of("name = \"a\"\nlist = [\"x\", \"y\"]\nset = [1, 2]\nany = { b = 1, a = [1, 2] }\n[inner]\non = true\n");
    let same = of(
        "# why\nany.a = [ 1,\n 2 ]\nany.b = 0x1\nset = [2, 1]\ninner = { on = true }\nlist = ['x', \"\\u0079\"] # x\nname=\"\"\"a\"\"\"\r\n",
    );
    assert_eq!(one, same);
    for other in
        ["name = \"a\"\nlist = [\"y\", \"x\"]", "name = \"a\"\nlist = [\"x\"]", "name = \"b\"\nlist = [\"x\", \"y\"]"]
    {
        assert_ne!(of("name = \"a\"\nlist = [\"x\", \"y\"]"), of(other));
    }
    let any = |value: &str| of(&format!("name = \"\"\nany = {value}\n"));
    let values = [
        "1",
        "1.5",
        "\"1\"",
        "true",
        "[1]",
        "[[1]]",
        "{ a = 1 }",
        "nan",
        "\"nan\"",
        "inf",
        "-inf",
        "1979-05-27",
        "\"1979-05-27\"",
        "[1, 2]",
        "[2, 1]",
    ];
    for (i, a) in values.iter().enumerate() {
        for b in &values[i + 1..] {
            assert_ne!(any(a), any(b), "{a} {b}");
        }
    }
}

#[test]
fn positions_lead_to_values_and_else_to_what_is_around_them() {
    let text = "name = \"a\"\nlist = [\"x\", \"y\"]\n[inner]\non = true\n";
    let positions = sample(text).unwrap().positions;
    for (path, expected) in [
        ("name", "\"a\""),
        ("list.1", "\"y\""),
        ("inner.on", "true"),
        ("inner", "[inner]"),
        ("inner.off", "[inner]"),
        ("nothing", ""),
    ] {
        assert_eq!(&text[positions.of(path)], expected, "{path}");
    }
}

#[test]
fn schemas_say_what_readers_take() {
    let schema = Sample::schema();
    assert_eq!(schema["required"], serde_json::json!(["name"]));
    assert_eq!(
        schema["properties"]["count"],
        serde_json::json!({ "type": "integer", "minimum": 0, "maximum": 65535, "description": "With a default." })
    );
    assert_eq!(schema["additionalProperties"], false);
}

/// A reader that is asked for more than a table.
#[test]
fn a_check_finds_its_place_in_lists() {
    #[derive(Debug)]
    struct Odd;
    impl Read for Odd {
        fn read(_: &super::Spanned<super::DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
            reader.mistake("", "odd", "even it out");
            Some(Self)
        }

        fn schema() -> serde_json::Value {
            serde_json::json!({})
        }
    }
    let error = parse::<std::collections::BTreeMap<String, Vec<Odd>>>(Path::new("o"), "a = [1,\n 2]").unwrap_err();
    assert_eq!(error.to_string(), "o:1:6: odd\no:2:2: odd");
}
