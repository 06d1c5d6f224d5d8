//! Settings out of YAML files, as far as a reader of lines can tell them.
//!
//! Here instead of a YAML crate, because what is left of those is unmaintained, and checks need less than YAML: the
//! dotted key, the value as text and the line. Nested block mappings, lists and block texts are understood. What is
//! not (tags, anchors, what is inside `{…}` and `[…]`) stays text or is passed over, and then a check says nothing.
//! Pretty-printed JSON happens to read well too.

/// One setting: `{ a: { b: 1 } }`, `a.b: 1` and the nested form are all the key `a.b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its dotted key; an item of a list has the list's key.
    pub(crate) key: String,
    /// What it is set to, without quotes.
    pub(crate) value: String,
    /// On which line, from 1.
    pub(crate) line: usize,
}

/// All settings of a text, in its order.
pub(crate) fn read(text: &str) -> Vec<Setting> {
    let mut reader = Reader { settings: Vec::new(), parents: Vec::new(), prefix: String::new(), skip: None };
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate().peekable();
    while let Some((i, line)) = lines.next() {
        if let Some(style) = reader.line(line, i + 1) {
            let block = std::iter::from_fn(|| lines.next_if(|(_, line)| style.holds(line)).map(|(_, line)| line));
            let block: Vec<_> = block.collect();
            reader.block(&block);
        }
    }
    reader.settings
}

/// A value that goes on over the next lines.
enum Style {
    /// A block text (`|`, `>`): all lines that are further in.
    Text(usize),
    /// An open `[` or `{`: all lines that are further in, and the one that closes it.
    Flow(usize),
}

impl Style {
    fn holds(&self, line: &str) -> bool {
        let content = line.trim_start();
        match self {
            Self::Text(indent) => content.is_empty() || line.len() - content.len() > *indent,
            Self::Flow(indent) => {
                content.is_empty() || line.len() - content.len() > *indent || content.starts_with([']', '}'])
            }
        }
    }
}

struct Reader {
    settings: Vec<Setting>,
    /// The mappings that are open: how far in their keys are, and how long the prefix was outside.
    parents: Vec<(usize, usize)>,
    prefix: String,
    /// Lines further in than this go on with a value that has been read.
    skip: Option<usize>,
}

impl Reader {
    fn line(&mut self, line: &str, number: usize) -> Option<Style> {
        let content = line.trim_start_matches(' ');
        let mut indent = line.len() - content.len();
        let mut content = content.trim_end();
        if content.is_empty() || content.starts_with(['#', '%', '\t']) {
            return None;
        }
        if matches!(content, "---" | "...") {
            self.leave(0);
            self.skip = None;
            return None;
        }
        if self.skip.is_some_and(|skip| indent > skip) {
            return None;
        }
        self.skip = None;
        let mut item = false;
        while let Some(rest) = content.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            // A list may stand as far in as the key it belongs to.
            self.leave(if item { indent } else { indent + 1 });
            let rest_content = rest.trim_start_matches(' ');
            indent += content.len() - rest_content.len();
            content = rest_content;
            item = true;
        }
        if !item {
            self.leave(indent);
        }
        let Some((key, value)) = split(content) else {
            if item && !self.prefix.is_empty() {
                self.set(number, content);
                self.skip = Some(indent);
            }
            return None;
        };
        self.enter(indent, &key);
        match value.chars().next() {
            None | Some('#' | '&' | '!') => None,
            // As JSON is written by most programs: what follows is nested as deep as it looks.
            Some('{') if value == "{" => None,
            Some('|' | '>') => {
                self.set(number, "");
                Some(Style::Text(indent))
            }
            Some('[' | '{') if !closes(value) => {
                self.set(number, value);
                Some(Style::Flow(indent))
            }
            Some(_) => {
                self.set(number, value);
                self.skip = Some(indent);
                None
            }
        }
    }

    /// Adds the lines that a value goes on with.
    fn block(&mut self, lines: &[&str]) {
        if let Some(setting) = self.settings.last_mut() {
            for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
                let gap = if setting.value.is_empty() { "" } else { "\n" };
                setting.value.push_str(gap);
                setting.value.push_str(line);
            }
        }
    }

    fn set(&mut self, line: usize, value: &str) {
        self.settings.push(Setting { key: self.prefix.clone(), value: unquote(value), line });
    }

    fn enter(&mut self, indent: usize, key: &str) {
        self.parents.push((indent, self.prefix.len()));
        if !self.prefix.is_empty() {
            self.prefix.push('.');
        }
        self.prefix.push_str(key);
    }

    /// Closes the mappings whose keys are `indent` or further in.
    fn leave(&mut self, indent: usize) {
        while let Some((_, length)) = self.parents.pop_if(|(own, _)| *own >= indent) {
            self.prefix.truncate(length);
        }
    }
}

/// Key and value of `key: value`, where the text is one.
fn split(text: &str) -> Option<(String, &str)> {
    let (key, rest) = match text.chars().next()? {
        quote @ ('"' | '\'') => {
            let end = text[1..].find(quote)? + 1;
            (&text[1..end], text[end + 1..].trim_start().strip_prefix(':')?)
        }
        '[' | '{' | '&' | '*' | '!' | '|' | '>' | '@' | '`' | '?' | ']' | '}' | ',' => return None,
        _ => {
            let colon = text.match_indices(':').map(|(i, _)| i).find(|i| {
                let rest = &text[i + 1..];
                rest.is_empty() || rest.starts_with([' ', '\t'])
            })?;
            (&text[..colon], &text[colon + 1..])
        }
    };
    let key = key.trim();
    (!key.is_empty() && !key.contains(" #")).then(|| (key.to_owned(), rest.trim()))
}

/// Whether every bracket that a text opens is closed in it.
fn closes(text: &str) -> bool {
    let count = |set: [char; 2]| text.chars().filter(|c| set.contains(c)).count();
    count(['[', '{']) <= count([']', '}'])
}

/// A value without its quotes and without the comment behind it.
fn unquote(value: &str) -> String {
    match value.chars().next() {
        Some('"') => {
            let mut text = String::new();
            let mut chars = value[1..].chars();
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' => text.extend(chars.next()),
                    c => text.push(c),
                }
            }
            text
        }
        Some('\'') => {
            let mut text = String::new();
            let mut chars = value[1..].chars().peekable();
            while let Some(c) = chars.next() {
                if c == '\'' && chars.next_if_eq(&'\'').is_none() {
                    break;
                }
                text.push(c);
            }
            text
        }
        _ => {
            let end = value.find(" #").or_else(|| value.find("\t#")).unwrap_or(value.len());
            value[..end].trim_end().trim_end_matches(',').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flat(text: &str) -> Vec<String> {
        read(text).into_iter().map(|s| format!("{}:{}={}", s.line, s.key, s.value)).collect()
    }

    #[test]
    fn dotted_and_nested_keys_are_the_same() {
        assert_eq!(flat("discovery.type: single-node"), ["1:discovery.type=single-node"]);
        assert_eq!(flat("discovery:\n  type: single-node\n"), ["2:discovery.type=single-node"]);
        assert_eq!(
            flat("xpack.security:\n  http:\n    ssl.enabled: true\n  enabled: false\npath.data: /d\r\n"),
            ["3:xpack.security.http.ssl.enabled=true", "4:xpack.security.enabled=false", "5:path.data=/d"]
        );
    }

    #[test]
    fn comments_and_quotes_are_taken_off() {
        assert_eq!(
            flat("# c: d\na: b # note\nb: \"x # y\" # z\n'c d': 'it''s'\ne: \"q\\\"q\"\nf: a#b\n\"g\": ''\n"),
            ["2:a=b", "3:b=x # y", "4:c d=it's", "5:e=q\"q", "6:f=a#b", "7:g="]
        );
    }

    #[test]
    fn items_of_a_list_have_the_lists_key() {
        assert_eq!(flat("a:\n  hosts:\n    - x\n    - \"y\"\nb: 1"), ["3:a.hosts=x", "4:a.hosts=y", "5:b=1"]);
        assert_eq!(flat("hosts:\n- x\n- y\nb: 1"), ["2:hosts=x", "3:hosts=y", "4:b=1"]);
        assert_eq!(
            flat("inputs:\n- type: log\n  paths:\n    - /a\n- type: tcp\n  ssl: {}\n"),
            ["2:inputs.type=log", "4:inputs.paths=/a", "5:inputs.type=tcp", "6:inputs.ssl={}"]
        );
        assert_eq!(flat("a: [\"x\", \"y\"]"), ["1:a=[\"x\", \"y\"]"]);
    }

    #[test]
    fn values_over_several_lines_are_no_keys() {
        assert_eq!(flat("a: |\n  b: 1\n  c\nd: 2"), ["1:a=b: 1\nc", "4:d=2"]);
        assert_eq!(flat("a: [\n  \"b: 1\",\n]\nd: 2"), ["1:a=[\n\"b: 1\",\n]", "4:d=2"]);
        assert_eq!(flat("a: text\n  more: text\nd: 2"), ["1:a=text", "3:d=2"]);
    }

    #[test]
    fn a_url_is_no_key() {
        assert_eq!(flat("hosts:\n  - http://a:9200\n"), ["2:hosts=http://a:9200"]);
        assert_eq!(flat("http://a:9200\n"), [""; 0]);
    }

    #[test]
    fn json_reads_too() {
        assert_eq!(
            flat("{\n  \"auths\": {\n    \"x\": {\n      \"auth\": \"abc\",\n    }\n  },\n  \"b\": 1,\n}"),
            ["4:auths.x.auth=abc", "7:b=1"]
        );
    }

    #[test]
    fn documents_start_afresh() {
        assert_eq!(flat("a:\n  b:\n---\n  c: 1\n...\n"), ["4:c=1"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ \\-:#'\"\\[\\]{}|>a-cä\n\t\r.]{0,80}") {
            let lines = text.lines().count();
            for setting in read(&text) {
                prop_assert!(setting.line >= 1 && setting.line <= lines);
                prop_assert!(!setting.key.is_empty());
            }
        }
    }
}
