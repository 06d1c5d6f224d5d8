//! From the text of a file to its imports.
//!
//! Files are read as token trees: not as text, so that comments and strings are none of our business, and not
//! as syntax trees, because half of the paths worth finding stand inside macros.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::house::{Child, Import, ModulePath, Source};

/// Reads one file.
pub(super) fn scan(file: &str, module: &[String], text: &str) -> Result<Source, String> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("{file}: {error}"))?;
    let mut source =
        Source { file: file.to_owned(), module: module.to_vec(), lines: text.lines().count(), ..Source::default() };
    // The binary sees the library under its name, as another crate.
    let library = if file == "src/main.rs" { "elkbake" } else { "crate" };
    let scope = Scope { library, module: module.to_vec(), children: BTreeSet::new() };
    Scanner { source: &mut source }.body(tokens, scope);
    source.imports.sort_by_key(|import| import.line);
    Ok(source)
}

/// Where a path is read, which decides what it means.
#[derive(Clone)]
struct Scope {
    library: &'static str,
    module: ModulePath,
    /// The modules that can be named without more ado.
    children: BTreeSet<String>,
}

impl Scope {
    fn child(&self, name: &str) -> ModulePath {
        self.module.iter().cloned().chain([name.to_owned()]).collect()
    }

    /// The path from the crate's root; `None` for what belongs to other crates or is no path of modules.
    fn resolve(&self, path: &[String]) -> Option<ModulePath> {
        let first = path.first()?.as_str();
        let ups = path.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match first {
            _ if first == self.library => (&[][..], &path[1..]),
            "self" => (&self.module[..], &path[1..]),
            "super" => (&self.module[..self.module.len().checked_sub(ups)?], &path[ups..]),
            _ if self.children.contains(first) => (&self.module[..], path),
            _ => return None,
        };
        Some(base.iter().chain(rest).cloned().collect())
    }
}

struct Scanner<'s> {
    source: &'s mut Source,
}

impl Scanner<'_> {
    /// Reads what stands in a module, a block or any other pair of brackets.
    fn body(&mut self, tokens: TokenStream, mut scope: Scope) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let declared = tokens.windows(2).filter(|pair| is_word(&pair[0], "mod")).filter_map(|pair| word(&pair[1]));
        scope.children.extend(declared);
        let mut at = 0;
        while at < tokens.len() {
            let before = at.checked_sub(1).map(|before| &tokens[before]);
            at += self.step(&tokens[at..], before, &scope);
        }
    }

    /// Reads the next few tokens and tells how many they were.
    fn step(&mut self, rest: &[TokenTree], before: Option<&TokenTree>, scope: &Scope) -> usize {
        match (&rest[0], rest.get(1)) {
            (hash, Some(TokenTree::Group(attribute))) if is_punct(hash, '#') => self.attribute(attribute, rest, scope),
            (TokenTree::Group(group), _) => {
                self.body(group.stream(), scope.clone());
                1
            }
            (public, Some(next)) if is_word(public, "pub") => {
                let length = if is_scope_of_visibility(next) { 2 } else { 1 };
                match rest.get(length) {
                    Some(r#use) if is_word(r#use, "use") => length + self.import(&rest[length..], true, scope),
                    _ => length,
                }
            }
            (r#use, Some(next)) if is_word(r#use, "use") && !is_punct(next, '<') => self.import(rest, false, scope),
            (r#mod, Some(TokenTree::Ident(name))) if is_word(r#mod, "mod") => {
                self.module(&name.to_string(), rest.get(2), scope)
            }
            (TokenTree::Ident(_), _) => self.path(rest, before, scope),
            _ if is_path_separator(rest) => 2 + read_path(&rest[2..]).1,
            _ => 1,
        }
    }

    /// Reads `#[…]`, and with one that is for tests only skips the item after it.
    fn attribute(&mut self, attribute: &Group, rest: &[TokenTree], scope: &Scope) -> usize {
        let line = attribute.span_open().start().line;
        let tokens: Vec<_> = attribute.stream().into_iter().collect();
        if tokens.first().is_some_and(|name| is_word(name, "path")) {
            self.source.path_attributes.push(line);
        }
        let condition = match &tokens[..] {
            [cfg, TokenTree::Group(condition)] if is_word(cfg, "cfg") => Some(condition.stream()),
            _ => None,
        };
        if !condition.is_some_and(holds_in_tests_only) {
            self.body(attribute.stream(), scope.clone());
            return 2;
        }
        let item = &rest[2..2 + item_length(&rest[2..])];
        if let Some(at) = item.iter().position(|token| is_word(token, "mod"))
            && let (Some(name), false) = (item.get(at + 1).and_then(word), item.iter().any(is_block))
        {
            self.source.children.push(Child { module: scope.child(&name), only_for_tests: true });
        }
        let last = item.last().map_or(line, |token| token.span().end().line);
        self.source.lines = self.source.lines.saturating_sub(last + 1 - line);
        2 + item.len()
    }

    /// Reads `mod name;` or `mod name { … }`.
    fn module(&mut self, name: &str, body: Option<&TokenTree>, scope: &Scope) -> usize {
        let module = scope.child(name);
        if let Some(TokenTree::Group(body)) = body {
            self.body(body.stream(), Scope { module, children: BTreeSet::new(), ..scope.clone() });
            return 3;
        }
        self.source.children.push(Child { module, only_for_tests: false });
        2
    }

    /// Reads `use …;`.
    fn import(&mut self, rest: &[TokenTree], is_public: bool, scope: &Scope) -> usize {
        let end = rest.iter().position(|token| is_punct(token, ';')).unwrap_or(rest.len());
        for leaf in read_use(&rest[1..end], &[]) {
            let path = scope.resolve(&leaf.path);
            // `pub use name;` hands on what this file has itself, a macro.
            let is_door = is_public && leaf.path.len() > 1;
            if is_door {
                self.source.doors.insert((scope.module.clone(), leaf.name.clone()), path.clone());
            }
            if let Some(path) = path.filter(|path| !path.is_empty()) {
                self.source.imports.push(Import { line: leaf.line, path, door: is_door.then_some(leaf.name) });
            }
        }
        end
    }

    /// Reads a path in code, and notes it if it is one of the crate.
    fn path(&mut self, rest: &[TokenTree], before: Option<&TokenTree>, scope: &Scope) -> usize {
        let (path, length) = read_path(rest);
        let first = &path[0];
        let is_type = first.starts_with(char::is_uppercase);
        let is_call = match &rest[1..] {
            [bang, TokenTree::Group(_), ..] if is_punct(bang, '!') => true,
            [next, ..] => is_arguments(next) || is_path_separator(&rest[1..]),
            [] => false,
        };
        let is_own = before.is_some_and(|before| is_punct(before, '.') || is_word(before, "fn"));
        if (is_type || is_call) && !is_own {
            self.source.mentions.insert(first.clone());
        }
        if let Some(path) = scope.resolve(&path).filter(|resolved| path.len() > 1 && !resolved.is_empty()) {
            self.source.imports.push(Import { line: rest[0].span().start().line, path, door: None });
        }
        length
    }
}

/// One name that a `use` brings in.
struct Leaf {
    line: usize,
    path: Vec<String>,
    name: String,
}

/// Reads a tree of imports. Paths that begin with `::` are of other crates and need no notice.
fn read_use(tokens: &[TokenTree], prefix: &[String]) -> Vec<Leaf> {
    let branches = tokens.split(|token| is_punct(token, ','));
    branches.flat_map(|branch| read_branch(branch, prefix)).collect()
}

fn read_branch(branch: &[TokenTree], prefix: &[String]) -> Vec<Leaf> {
    let Some(start) = branch.first().filter(|_| !is_path_separator(branch)) else { return Vec::new() };
    let (mut path, length) = read_path(branch);
    path.splice(..0, prefix.iter().cloned());
    let rest = if is_path_separator(&branch[length..]) { &branch[length + 2..] } else { &branch[length..] };
    if let Some(TokenTree::Group(group)) = rest.first() {
        return read_use(&group.stream().into_iter().collect::<Vec<_>>(), &path);
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let alias = rest.iter().position(|token| is_word(token, "as")).and_then(|at| word(rest.get(at + 1)?));
    let Some(name) = alias.or_else(|| path.last().cloned()) else { return Vec::new() };
    vec![Leaf { line: start.span().start().line, path, name }]
}

/// Reads `a::b::c` and tells how many tokens it was.
fn read_path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let Some(first) = tokens.first().and_then(word) else { return (Vec::new(), 0) };
    let mut path = vec![first];
    let mut length = 1;
    while is_path_separator(&tokens[length..]) {
        let Some(next) = tokens.get(length + 2).and_then(word) else { break };
        path.push(next);
        length += 3;
    }
    (path, length)
}

/// How many tokens the item has that begins here, its other attributes included.
fn item_length(tokens: &[TokenTree]) -> usize {
    const UP_TO_SEMICOLON: [&str; 5] = ["use", "const", "static", "type", "let"];
    const UP_TO_BLOCK: [&str; 10] =
        ["fn", "mod", "struct", "enum", "union", "impl", "trait", "macro_rules", "unsafe", "async"];
    let mut start = 0;
    while let [hash, TokenTree::Group(_), ..] = &tokens[start..]
        && is_punct(hash, '#')
    {
        start += 2;
    }
    let is_visibility = |token: &&TokenTree| is_word(token, "pub") || is_scope_of_visibility(token);
    let keyword = tokens[start..].iter().find(|token| !is_visibility(token)).and_then(word).unwrap_or_default();
    let is_const_fn = tokens[start..].windows(2).any(|pair| is_word(&pair[0], "const") && is_word(&pair[1], "fn"));
    let is_end = |token: &TokenTree| match keyword.as_str() {
        keyword if UP_TO_SEMICOLON.contains(&keyword) && !is_const_fn => is_punct(token, ';'),
        keyword if UP_TO_BLOCK.contains(&keyword) || is_const_fn => is_punct(token, ';') || is_block(token),
        // A field, a variant, an arm, a statement.
        _ => is_punct(token, ',') || is_punct(token, ';') || is_block(token),
    };
    let end = tokens[start..].iter().position(is_end).map_or(tokens.len(), |end| start + end + 1);
    end.min(tokens.len())
}

/// Whether a condition of `cfg` holds in tests only.
fn holds_in_tests_only(condition: TokenStream) -> bool {
    let tokens: Vec<_> = condition.into_iter().collect();
    let mut parts = tokens.split(|token| is_punct(token, ',')).filter(|part| !part.is_empty()).map(|part| match part {
        [test] => is_word(test, "test"),
        [all, TokenTree::Group(of)] if is_word(all, "all") => {
            let of: Vec<_> = of.stream().into_iter().collect();
            of.split(|token| is_punct(token, ',')).any(|one| holds_in_tests_only(one.iter().cloned().collect()))
        }
        [any, TokenTree::Group(of)] if is_word(any, "any") => holds_in_tests_only(of.stream()),
        _ => false,
    });
    parts.next().is_some_and(|first| first && parts.all(|part| part))
}

fn word(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_punct(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == punct)
}

fn is_path_separator(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [a, b, ..] if is_punct(a, ':') && is_punct(b, ':'))
}

fn is_block(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_arguments(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis)
}

/// `(crate)`, `(super)`, `(self)` or `(in …)` after `pub`; any other brackets there are a type.
fn is_scope_of_visibility(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    let inside: Vec<_> = group.stream().into_iter().collect();
    is_arguments(token)
        && match &inside[..] {
            [one] => ["crate", "super", "self"].iter().any(|scope| is_word(one, scope)),
            [first, ..] => is_word(first, "in"),
            [] => false,
        }
}
