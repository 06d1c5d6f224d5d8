//! Texts that are YAML, and texts that are not.

use proptest::prelude::*;

use super::{Fault, Node, Value, read};

/// The value as JSON, with `~` for nothing.
fn json(node: &Node) -> String {
    match &node.value {
        Value::Empty => "~".to_owned(),
        Value::Text { text, .. } => format!("{text:?}"),
        Value::List(list) => format!("[{}]", list.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Map(map) => {
            let pairs: Vec<_> = map.iter().map(|(key, _, node)| format!("{key}:{}", json(node))).collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}

#[track_caller]
fn is(text: &str, expected: &str) {
    assert_eq!(json(&read(text).unwrap()), expected, "{text}");
}

#[track_caller]
fn wrong(line: usize, text: &str) {
    let error = read(text).unwrap_err();
    assert_eq!((error.line, error.fault), (line, Fault::Wrong), "{text}\n{error}");
}

#[track_caller]
fn unread(line: usize, text: &str) {
    let error = read(text).unwrap_err();
    assert_eq!((error.line, error.fault), (line, Fault::Unread), "{text}\n{error}");
}

#[test]
fn mappings_and_lists_by_indentation() {
    is("", "~");
    is("# only\n\n", "~");
    is("a: 1\nb:\n  c: 2\n  d:\n    e: 3\nf: 4", r#"{a:"1",b:{c:"2",d:{e:"3"}},f:"4"}"#);
    is("---\na.b: x\r\nc:\r\n", r#"{a.b:"x",c:~}"#);
    is("- a\n- b", r#"["a","b"]"#);
    is("a:\n- b\n- c\nd: e", r#"{a:["b","c"],d:"e"}"#);
    is("a:\n  - b\n  -\n    - c\n  - - d\n    - e\n", r#"{a:["b",["c"],["d","e"]]}"#);
    is("a:\n  - b:\n      - c: d\n        e: f\n    g: h\n  - i", r#"{a:[{b:[{c:"d",e:"f"}],g:"h"},"i"]}"#);
    is("a:\n    b: 1\nc:\n  d: 2", r#"{a:{b:"1"},c:{d:"2"}}"#);
    is("-\n- a", r#"[~,"a"]"#);
}

#[test]
fn plain_and_quoted_texts() {
    is(
        "a: b # c\nd: e#f\ng: 'it''s' # h\n\"i j\" : \"k\\t\\u00e4\\x41\\\"\"",
        r#"{a:"b",d:"e#f",g:"it's",i j:"k\täA\""}"#,
    );
    is("a: b\n  c\n  d\ne: f", r#"{a:"b c d",e:"f"}"#);
    is("a: \"b\n  c\n\n  d\\\n  e\"\nf: 'g\n h'", r#"{a:"b c\nde",f:"g h"}"#);
    is("a: |\n  b: c\n  # d\n  e\nf: >-\n  g", r#"{a:"b: c\n# d\ne\n",f:"g\n"}"#);
    is("a: http://b:80/c\nd: -e\nf: ::1\ng: ${H:i}", r#"{a:"http://b:80/c",d:"-e",f:"::1",g:"${H:i}"}"#);
    is("text", "\"text\"");
    is("a: '#b'", "{a:\"#b\"}");
    assert!(read("a: ~").is_ok_and(|node| matches!(&node.value, Value::Map(map) if map[0].2.value.is_null())));
    assert!(read("a: '~'").is_ok_and(|node| matches!(&node.value, Value::Map(map) if !map[0].2.value.is_null())));
}

#[test]
fn flow_mappings_and_lists() {
    is("a: [b, 'c', \"d\", ]", r#"{a:["b","c","d"]}"#);
    is("a: [b c,\n  # note\n  d # e\n]\nf: {}", r#"{a:["b c","d"],f:{}}"#);
    is("{\"a\":1, b: [2, {c: }], d}", r#"{a:"1",b:["2",{c:~}],d:~}"#);
    is("a: [ ] # b\nc: d", r#"{a:[],c:"d"}"#);
    is("a: [http://b:80]", r#"{a:["http://b:80"]}"#);
}

#[test]
fn lines_are_told() {
    let Value::Map(map) = read("# x\na:\n\n  - b\nc: [d,\n e]").unwrap().value else { panic!() };
    assert_eq!((map[0].1, map[0].2.line, map[1].1), (2, 4, 5));
    let Value::List(list) = &map[1].2.value else { panic!() };
    assert_eq!((list[0].line, list[1].line), (5, 6));
}

#[test]
fn what_is_no_yaml() {
    wrong(2, "a:\n\tb: 1");
    wrong(2, "a: 1\n\tb: 2");
    wrong(3, "a: 1\nb: 2\na: 3");
    wrong(1, "{a: 1, a: 2}");
    wrong(2, "a: 1\n b: 2");
    wrong(3, "a:\n  b: 1\n c: 2");
    wrong(2, "a: 1\nb");
    wrong(2, "a: 1\nb:2");
    wrong(1, "a: b: c");
    wrong(1, "a: 'b");
    wrong(1, "a: \"b\\q\"");
    wrong(1, "a: \"\\u12\"");
    wrong(1, "a: [b, c\nd: e");
    wrong(1, "a: [b] c");
    wrong(1, "a: 'b' c");
    wrong(1, "a: {b: c]");
    wrong(1, "a: [${B}]");
    wrong(1, "a: @b");
    wrong(1, "a: - b");
    wrong(2, "- a\nb: c");
    wrong(3, "a:\n  - b\n  c: d");
    wrong(2, "a: b # c\n  d");
    wrong(1, "\"a\":b");
    wrong(1, "a: [,]");
    wrong(1, "a: [- b]");
    wrong(3, "a: b\n  # c\n  d");
    wrong(1, "a: 'b\n # c' d");
}

#[test]
fn what_is_not_read() {
    unread(1, "a: &b c");
    unread(2, "a: 1\nb: *a");
    unread(1, "!a b");
    unread(1, "%YAML 1.2\n---\na: b");
    unread(2, "a: b\n---\nc: d");
    unread(1, "? a");
    unread(1, ": a");
    unread(1, "a: [b: c]");
    unread(2, "a:\n|\n  b");
    unread(1, &"- ".repeat(1000));
    unread(1, &"[".repeat(100_000));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof!["[ \\-:#'\"\\[\\]{},|>a-cä\n\t\r.\\\\&?u0]{0,60}", any::<String>()]) {
        let lines = text.split('\n').count();
        if let Err(error) = read(&text) {
            prop_assert!((1..=lines).contains(&error.line), "{}", error);
        }
    }

    #[test]
    fn what_is_written_reads_back(map in proptest::collection::vec(("[a-z.]{1,6}", proptest::collection::vec("[a-z'\"#: ]{0,6}", 0..4)), 0..5)) {
        let mut text = String::new();
        let mut expected = Vec::new();
        for (i, (key, items)) in map.iter().enumerate() {
            text.push_str(&format!("{key}{i}:\n"));
            for item in items {
                text.push_str(&format!("{}- '{}'\n", " ".repeat(i), item.replace('\'', "''")));
            }
            let items: Vec<_> = items.iter().map(|item| format!("{item:?}")).collect();
            expected.push(if items.is_empty() { format!("{key}{i}:~") } else { format!("{key}{i}:[{}]", items.join(",")) });
        }
        let expected = if map.is_empty() { "~".to_owned() } else { format!("{{{}}}", expected.join(",")) };
        prop_assert_eq!(json(&read(&text).unwrap()), expected);
    }
}
