//! The part of YAML that RubyGems and its relatives write into gems, and nothing more: block lists and maps, all five
//! ways to write a text, tags, and anchors. A general reader would bring a dozen crates and the parts of YAML that
//! nobody misses; what this one does not know it refuses, with the line.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::lines::{Line, Lines, WHITE, YamlError};
use super::scalar;

/// A value with its tag, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Such as `!ruby/object:Gem::Version`.
    pub(super) tag: Option<String>,
    /// What it is.
    pub(super) value: Value,
    /// How many nodes stand in each other here, at most.
    height: usize,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing at all.
    Null,
    /// A text, a number or a truth value: all of them as they are written.
    Text(String),
    /// A list.
    List(Vec<Rc<Node>>),
    /// Keys and values, in their order; no key is there twice.
    Map(Vec<(String, Rc<Node>)>),
}

/// Gems nest five deep.
const DEEPEST: usize = 16;

/// Reads one document.
///
/// # Errors
/// When it is no YAML, or more YAML than gems have in them.
pub(super) fn read(text: &str) -> Result<Rc<Node>, YamlError> {
    let mut reader = Reader { lines: Lines::new(text)?, anchors: BTreeMap::new(), depth: 0 };
    let first = reader.lines.current().map_or("", |line| line.text);
    let node = match first.strip_prefix("---") {
        Some(rest) if rest.is_empty() || rest.starts_with(' ') => {
            reader.lines.advance();
            reader.value(rest, Home { indent: -1, list_beside: true })?
        }
        _ => reader.block(-1)?,
    };
    match reader.lines.current() {
        None => Ok(node),
        Some(_) => Err(reader.lines.wrong("there is something where nothing belongs")),
    }
}

/// Where a value stands that may go on in the next lines.
#[derive(Clone, Copy)]
struct Home {
    /// The column of the key or the hyphen it belongs to: what belongs to it is further to the right.
    indent: isize,
    /// A list may stand directly below its key.
    list_beside: bool,
}

struct Reader<'t> {
    lines: Lines<'t>,
    anchors: BTreeMap<String, Rc<Node>>,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// What the current line begins: a list, a map, or a text. It has to be further to the right than `outside`.
    fn block(&mut self, outside: isize) -> Result<Rc<Node>, YamlError> {
        let Some(line) = self.lines.current().filter(|line| line.column() > outside) else {
            return Ok(node(Value::Null));
        };
        if self.depth == DEEPEST {
            return Err(self.lines.wrong("it is nested too deeply"));
        }
        self.depth += 1;
        let value = if is_item(line.text) {
            self.list(line.indent)?
        } else if scalar::key(line.text).map_err(|what| self.lines.wrong(what))?.is_some() {
            self.map(line.indent)?
        } else {
            self.lines.advance();
            let home = Home { indent: outside, list_beside: false };
            let value = self.value(line.text, home);
            self.depth -= 1;
            return value;
        };
        self.depth -= 1;
        if self.lines.current().is_some_and(|next| next.column() > outside && next.indent != line.indent) {
            return Err(self.lines.wrong("it is neither in the column of what is above it nor further out"));
        }
        Ok(node(value))
    }

    fn list(&mut self, indent: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        while let Some(line) = self.lines.current().filter(|line| line.indent == indent && is_item(line.text)) {
            let rest = &line.text[1..];
            let inner = rest.trim_start_matches(' ');
            let column = indent + 1 + rest.len() - inner.len();
            let nests = is_item(inner) || scalar::key(inner).map_err(|what| self.lines.wrong(what))?.is_some();
            items.push(if nests {
                // `- - a` and `- a: b`: what follows the hyphen is a block of its own that begins in this line.
                self.lines.leave(Line { indent: column, text: inner });
                self.block(line.column())?
            } else {
                self.lines.advance();
                self.value(inner, Home { indent: line.column(), list_beside: false })?
            });
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, indent: usize) -> Result<Value, YamlError> {
        let mut entries: Vec<(String, Rc<Node>)> = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(line) = self.lines.current().filter(|line| line.indent == indent && !is_item(line.text)) {
            let key = scalar::key(line.text).map_err(|what| self.lines.wrong(what))?;
            let Some((key, rest)) = key else {
                return Err(self.lines.wrong("there is no `key:` in it"));
            };
            if !seen.insert(key.clone()) {
                return Err(self.lines.wrong(format!("the key `{key}` is there twice")));
            }
            self.lines.advance();
            let value = self.value(rest, Home { indent: line.column(), list_beside: true })?;
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }

    /// What follows a key, a hyphen or the three hyphens at the beginning; the line it is in is behind us.
    fn value(&mut self, text: &'t str, home: Home) -> Result<Rc<Node>, YamlError> {
        let at = self.lines.number();
        let wrong = |what: &str| YamlError { line: at, what: what.to_owned() };
        let (mut tag, mut anchor, mut rest) = (None, None, text.trim_start_matches(WHITE));
        while let Some(sign @ ('!' | '&')) = rest.chars().next() {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            let place = if sign == '!' { &mut tag } else { &mut anchor };
            if place.replace(word.trim_start_matches('&').to_owned()).is_some() {
                return Err(wrong("it has two tags or two anchors"));
            }
            rest = after.trim_start_matches(WHITE);
        }
        if let Some(name) = rest.trim_end_matches(WHITE).strip_prefix('*') {
            if tag.is_some() || anchor.is_some() {
                return Err(wrong("what points elsewhere has no tag or anchor"));
            }
            return self.anchors.get(name).cloned().ok_or_else(|| wrong("it points to what is not above it"));
        }
        let made = match rest.chars().next() {
            None => self.below(home)?,
            Some('|' | '>') => node(Value::Text(scalar::block(rest, home.indent, &mut self.lines)?)),
            Some('"' | '\'') => node(Value::Text(scalar::quoted(rest, home.indent, &mut self.lines)?)),
            _ if rest.trim_end_matches(WHITE) == "[]" => node(Value::List(Vec::new())),
            _ if rest.trim_end_matches(WHITE) == "{}" => node(Value::Map(Vec::new())),
            _ => match scalar::plain(rest, home.indent, &mut self.lines)? {
                text if matches!(text.as_str(), "~" | "null" | "Null" | "NULL") => node(Value::Null),
                text => node(Value::Text(text)),
            },
        };
        let made = match tag {
            None => made,
            Some(_) if made.tag.is_some() => return Err(wrong("it has two tags")),
            Some(tag) => tagged(tag, &made).map_err(|what| wrong(&what))?,
        };
        if let Some(anchor) = anchor {
            // What points to what points elsewhere could make a chain that nobody can walk to its end.
            if made.height > DEEPEST {
                return Err(wrong("it is nested too deeply"));
            }
            self.anchors.insert(anchor, Rc::clone(&made));
        }
        Ok(made)
    }

    /// A value that begins in the line after its key.
    fn below(&mut self, home: Home) -> Result<Rc<Node>, YamlError> {
        match self.lines.current() {
            Some(line) if line.column() == home.indent && home.list_beside && is_item(line.text) => {
                self.block(home.indent - 1)
            }
            // Nothing is below: a key without a value.
            _ => self.block(home.indent),
        }
    }
}

fn node(value: Value) -> Rc<Node> {
    Rc::new(Node::new(None, value))
}

impl Node {
    fn new(tag: Option<String>, value: Value) -> Self {
        let height = match &value {
            Value::Null | Value::Text(_) => 0,
            Value::List(items) => items.iter().map(|item| item.height + 1).max().unwrap_or(0),
            Value::Map(entries) => entries.iter().map(|(_, node)| node.height + 1).max().unwrap_or(0),
        };
        Self { tag, value, height }
    }
}

fn tagged(tag: String, node: &Node) -> Result<Rc<Node>, String> {
    let value = match (tag.as_str(), &node.value) {
        ("!binary" | "!!binary", Value::Text(text)) => Value::Text(scalar::binary(text)?),
        // The tag says that what looks like nothing, or like a number, is a text.
        ("!" | "!str" | "!!str", Value::Null) => Value::Text(String::new()),
        ("!!null", Value::Null | Value::Text(_)) => Value::Null,
        (_, value) => value.clone(),
    };
    let is_name = |name: &str| name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b':');
    let is_object = tag.strip_prefix("!ruby/object:").is_some_and(is_name);
    if !is_object && !matches!(tag.as_str(), "!" | "!str" | "!!str" | "!binary" | "!!binary" | "!!null") {
        return Err(format!("nobody knows the tag `{tag}` here"));
    }
    Ok(Rc::new(Node::new(is_object.then_some(tag), value)))
}

/// Whether a line is an item of a list.
fn is_item(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(yaml: &str) -> String {
        match &read(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}")).value {
            Value::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn shown(node: &Node) -> String {
        let tag = node.tag.iter().map(|tag| format!("{tag} ")).collect::<String>();
        tag + &match &node.value {
            Value::Null => "~".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!("[{}]", items.iter().map(|item| shown(item)).collect::<Vec<_>>().join(", ")),
            Value::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| format!("{key}: {}", shown(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn of(yaml: &str) -> String {
        shown(&read(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}")))
    }

    fn wrong(yaml: &str) -> String {
        match read(yaml) {
            Err(error) => error.to_string(),
            Ok(node) => panic!("{}", shown(&node)),
        }
    }

    #[test]
    fn lists_and_maps_in_each_other() {
        assert_eq!(of(""), "~");
        assert_eq!(of("a: b\nc:\nd: \ne: ~\n"), "{a: \"b\", c: ~, d: ~, e: ~}");
        assert_eq!(of("a:\n- x\n- y\nb:\n  - z\n"), "{a: [\"x\", \"y\"], b: [\"z\"]}");
        assert_eq!(
            of("- - a\n  - b\n- c: d\n  e: f\n-\n  - g\n- []\n- {}\n"),
            "[[\"a\", \"b\"], {c: \"d\", e: \"f\"}, [\"g\"], [], {}]"
        );
        assert_eq!(
            of("--- !ruby/object:A\na: &1 !ruby/object:B\n  c: d\ne: *1\n"),
            "!ruby/object:A {a: !ruby/object:B {c: \"d\"}, e: !ruby/object:B {c: \"d\"}}"
        );
        assert_eq!(
            of(
                "- !ruby/object:D\n  n: x\n  r: !ruby/object:R\n    q:\n    - - \">=\"\n      - !ruby/object:V\n        v: '0'\n"
            ),
            "[!ruby/object:D {n: \"x\", r: !ruby/object:R {q: [[\">=\", !ruby/object:V {v: \"0\"}]]}}]"
        );
        assert_eq!(of("\"a b\": c\n'd': e\n"), "{a b: \"c\", d: \"e\"}");
        assert_eq!(of("a: b\n...\n"), "{a: \"b\"}");
    }

    /// The ways in which Psych wrote these since 2008: the oldest are from before it.
    #[test]
    fn texts_in_all_five_ways() {
        for (yaml, expected) in [
            ("plain text", "plain text"),
            ("http://a:80/#b", "http://a:80/#b"),
            ("--- a\n", "a"),
            ("a\n  b\n\n\n  c\n", "a b\n\nc"),
            ("'it''s'", "it's"),
            ("'a\n  b\n\n  c '", "a b\nc "),
            ("! '>='", ">="),
            ("\"\\t\\x41\\u00e9\\U0001F600\\e\\\"\\\\\"", "\tA\u{e9}\u{1f600}\u{1b}\"\\"),
            ("\"a  \n  b\\n\\\n  \\  c\\\n\\ d\"", "a b\n  c d"),
            ("\"a\n\n b\"", "a\nb"),
            ("--- |\n  a\n   b\n\n  c\n", "a\n b\n\nc\n"),
            ("--- |-\n  a\n", "a"),
            ("--- |+\n  a\n\n", "a\n\n"),
            ("--- |2-\n    a\n   b\n", "  a\n b"),
            ("--- >\n  a\n  b\n\n  c\n    d\n  e\n", "a b\nc\n  d\ne\n"),
            ("--- >-\n  a\n  b\n", "a b"),
            ("!binary |-\n  w6k=\n", "\u{e9}"),
            ("! ''", ""),
        ] {
            assert_eq!(text(yaml), expected, "{yaml}");
        }
        assert_eq!(of("a: |\n\n\n  b\nc: |-\nd: |\n"), "{a: \"\\n\\nb\\n\", c: \"\", d: \"\"}");
        assert_eq!(of("- |\n  a\n- b\n- 'c\n\n  d'\n"), "[\"a\\n\", \"b\", \"c\\nd\"]");
    }

    #[test]
    fn what_gems_do_not_have_in_them_is_refused() {
        for (yaml, error) in [
            ("a: b\na: c\n", "line 2: the key `a` is there twice"),
            ("a: b\n  c: d\n", "line 2: a text with `:` in it needs quotes"),
            ("a: b # c\n", "line 1: a text with `#` in it needs quotes"),
            ("a:\n  - b\n c: d\n", "line 3: it is neither in the column of what is above it nor further out"),
            ("a: [b]\n", "line 1: nothing here begins with `[`"),
            ("a: {b: c}\n", "line 1: nothing here begins with `{`"),
            ("a: @b\n", "line 1: nothing here begins with `@`"),
            ("? a\n: b\n", "line 1: keys that are no texts are not read here"),
            ("a: *b\n", "line 1: it points to what is not above it"),
            ("a: &b &c d\n", "line 1: it has two tags or two anchors"),
            ("a: !b *c\n", "line 1: what points elsewhere has no tag or anchor"),
            ("a: !ruby/regexp x\n", "line 1: nobody knows the tag `!ruby/regexp` here"),
            ("a: 'b\n", "line 1: the closing quote is missing"),
            ("a: 'b'c\n", "line 1: something follows the closing quote"),
            ("a: \"\\q\"\n", "line 1: nobody knows the escape `\\q`"),
            ("a: \"\\ud800\"\n", "line 1: `d800` is the number of no character"),
            ("a: |9x\n", "line 1: nobody knows this kind of block"),
            ("a: b\x07\n", "line 1: it holds a control character"),
            ("a: b\r\n", "line 1: it holds a control character"),
            ("a: 'b\u{2028}c'\n", "line 1: it holds a control character"),
            ("a: b\n---\nc: d\n", "line 2: there is no `key:` in it"),
            ("- a\nb: c\n", "line 2: there is something where nothing belongs"),
            ("a: !binary '*'\n", "line 1: it is no base64"),
        ] {
            assert_eq!(wrong(yaml), error, "{yaml}");
        }
        assert!(wrong(&"- ".repeat(100)).ends_with("it is nested too deeply"));
        let mut chain = "- &0 a\n".to_owned();
        for i in 0..100 {
            chain.push_str(&format!("- &{}\n  - *{i}\n  - *{i}\n", i + 1));
        }
        assert_eq!(wrong(&chain), "line 50: it is nested too deeply");
    }

    /// Words of YAML in an order that makes no sense.
    fn soup() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "a",
            "b:",
            ": ",
            "- ",
            "-",
            "\n",
            "\n  ",
            "\n    ",
            " ",
            "!ruby/object:A",
            "! ",
            "&1 ",
            "*1",
            "|",
            "|-\n",
            ">+2",
            "'",
            "\"",
            "\\",
            "\\n",
            "[]",
            "{}",
            "---",
            "...",
            "~",
            "#",
            "\t",
            "\u{e9}",
            "!binary",
            "''",
        ]);
        proptest::collection::vec(words, 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in prop_oneof![any::<String>(), soup(), "(\\PC|\\n){0,100}"]) {
            if let Err(error) = read(&text) {
                prop_assert!(error.line >= 1 && error.line <= text.lines().count() + 2, "{error}");
            }
        }

        #[test]
        fn quoted_texts_are_read_as_they_were(value in "(\\PC|[\\n\\t '\"\\\\:#-]){0,60}") {
            let plain = !value.contains(['\u{2028}', '\u{2029}', '\u{85}']);
            let escaped: String = value.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
            prop_assert_eq!(text(&format!("\"{escaped}\"")), value.as_str());
            if plain && !value.contains('\n') {
                prop_assert_eq!(text(&format!("'{}'", value.replace('\'', "''"))), value.as_str());
            }
            if plain {
                let block: String = value.split('\n').map(|line| format!("\n  {line}")).collect();
                prop_assert_eq!(text(&format!("--- |2-{block}")), value.trim_end_matches('\n'));
            }
        }
    }
}
