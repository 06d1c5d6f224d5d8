//! A gem's specification as the Ruby that RubyGems writes into `specifications/` when it installs the gem.
//!
//! In the form of RubyGems 3.1 to 3.3, which is that of Logstash 7.16 to 9.4; all later versions read it as well.
//! Logstash's own installer keeps the list of all files in it, and so do we.

use std::collections::BTreeSet;

use super::specification::{GemPlatform, Specification};
use super::version::Requirement;

/// The text of `specifications/NAME-VERSION.gemspec`.
#[must_use]
pub(super) fn gemspec(spec: &Specification) -> String {
    let mut lines = vec!["# -*- encoding: utf-8 -*-".to_owned(), stub(spec)];
    if !spec.extensions.is_empty() {
        lines.push(format!("# stub: {}", spec.extensions.join("\0")));
    }
    lines.extend([String::new(), "Gem::Specification.new do |s|".to_owned()]);
    lines.push(format!("  s.name = {}", frozen(&spec.name)));
    lines.push(format!("  s.version = {}", dump(spec.version.as_str())));
    if spec.platform == GemPlatform::Java {
        lines.push(format!("  s.platform = {}", frozen("java")));
    }
    lines.push(String::new());
    let of = "s.respond_to? :required_rubygems_version=";
    lines.push(format!("  s.required_rubygems_version = {} if {of}", required(&spec.required_rubygems_version)));
    if !spec.metadata.is_empty() {
        let pairs = spec.metadata.iter().map(|(key, value)| format!("{} => {}", dump(key), dump(value)));
        let pairs = pairs.collect::<Vec<_>>().join(", ");
        lines.push(format!("  s.metadata = {{ {pairs} }} if s.respond_to? :metadata="));
    }
    lines.push(format!("  s.require_paths = {}", list(&spec.require_paths)));
    lines.extend(attributes(spec));
    if let Some(key) = spec.texts.get("signing_key") {
        lines.push(format!("  s.signing_key = {}", frozen(key)));
    }
    lines.extend(dependencies(spec));
    lines.extend(["end".to_owned(), String::new()]);
    lines.join("\n")
}

/// What RubyGems reads of a gem as long as nobody needs more of it.
fn stub(spec: &Specification) -> String {
    let platform = if spec.platform == GemPlatform::Java { "java" } else { "ruby" };
    format!("# stub: {} {} {platform} {}", spec.name, spec.version, spec.require_paths.join("\0"))
}

/// The attributes that are not what they are anyway, by name.
fn attributes(spec: &Specification) -> Vec<String> {
    let mut said: Vec<(&str, String)> = Vec::new();
    said.extend(
        spec.texts.iter().filter(|(name, _)| **name != "signing_key").map(|(name, text)| (*name, frozen(text))),
    );
    said.extend(spec.lists.iter().filter(|(_, texts)| !texts.is_empty()).map(|(name, texts)| (*name, list(texts))));
    said.extend(spec.bindir.iter().filter(|folder| *folder != "bin").map(|folder| ("bindir", frozen(folder))));
    said.push(("date", dump(&spec.date)));
    let lists = [
        ("executables", spec.executables.clone()),
        ("extensions", spec.extensions.clone()),
        ("extra_rdoc_files", spec.extra_rdoc_files.clone()),
        ("files", files(spec)),
    ];
    said.extend(lists.iter().filter(|(_, texts)| !texts.is_empty()).map(|(name, texts)| (*name, list(texts))));
    if !spec.required_ruby_version.is_any() {
        said.push(("required_ruby_version", required(&spec.required_ruby_version)));
    }
    said.push(("rubygems_version", frozen(&spec.rubygems_version)));
    if !spec.texts.contains_key("summary") {
        said.push(("summary", "nil".to_owned()));
    }
    said.sort_unstable();
    said.into_iter().map(|(name, value)| format!("  s.{name} = {value}")).collect()
}

/// All files, each once and sorted: programs, documentation and extensions count as files wherever they are listed.
fn files(spec: &Specification) -> Vec<String> {
    let program = |name: &String| match &spec.bindir {
        Some(folder) => format!("{folder}/{name}"),
        None => name.clone(),
    };
    let files = spec.files.iter().chain(&spec.extra_rdoc_files).chain(&spec.extensions).cloned();
    files.chain(spec.executables.iter().map(program)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn dependencies(spec: &Specification) -> Vec<String> {
    if spec.dependencies.is_empty() {
        return Vec::new();
    }
    let add = |what: &dyn Fn(bool) -> &'static str| {
        let lines = spec.dependencies.iter().map(|dependency| {
            let conditions: Vec<_> = dependency.requirement.conditions().map(|text| dump(&text)).collect();
            let kind = what(dependency.is_for_development);
            format!("    s.{kind}(%q<{}>.freeze, [{}])", dependency.name, conditions.join(", "))
        });
        lines.collect::<Vec<_>>()
    };
    let kinds = |dev: bool| if dev { "add_development_dependency" } else { "add_runtime_dependency" };
    let number = spec.format;
    let mut lines = vec![
        String::new(),
        "  if s.respond_to? :specification_version then".to_owned(),
        format!("    s.specification_version = {number}"),
        "  end".to_owned(),
        String::new(),
        "  if s.respond_to? :add_runtime_dependency then".to_owned(),
    ];
    lines.extend(add(&kinds));
    lines.push("  else".to_owned());
    lines.extend(add(&|_| "add_dependency"));
    lines.push("  end".to_owned());
    lines
}

fn required(requirement: &Requirement) -> String {
    let conditions: Vec<_> = requirement.conditions().collect();
    match &conditions[..] {
        [one] => format!("Gem::Requirement.new({})", frozen(one)),
        many => format!("Gem::Requirement.new({})", list(many)),
    }
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| frozen(text)).collect::<Vec<_>>().join(", "))
}

fn frozen(text: &str) -> String {
    dump(text) + ".freeze"
}

/// A text as Ruby's `String#dump` writes it: in ASCII, and never more than a text to whoever runs it.
fn dump(text: &str) -> String {
    let mut dumped = String::from("\"");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\\' => dumped.extend(['\\', c]),
            '\n' => dumped.push_str("\\n"),
            '\r' => dumped.push_str("\\r"),
            '\t' => dumped.push_str("\\t"),
            '\x0c' => dumped.push_str("\\f"),
            '\x0b' => dumped.push_str("\\v"),
            '\x08' => dumped.push_str("\\b"),
            '\x07' => dumped.push_str("\\a"),
            '\x1b' => dumped.push_str("\\e"),
            '#' if matches!(chars.peek(), Some('$' | '@' | '{')) => dumped.push_str("\\#"),
            ' '..='~' => dumped.push(c),
            '\0'..='\x7f' => dumped.push_str(&format!("\\x{:02X}", u32::from(c))),
            '\u{80}'..='\u{ffff}' => dumped.push_str(&format!("\\u{:04X}", u32::from(c))),
            _ => dumped.push_str(&format!("\\u{{{:X}}}", u32::from(c))),
        }
    }
    dumped.push('"');
    dumped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_only_texts_to_ruby() {
        for (text, expected) in [
            ("a \"b\" \\c", r#""a \"b\" \\c""#),
            ("#{`rm`} #$x #@y #z #", r#""\#{`rm`} \#$x \#@y #z #""#),
            ("\n\r\t\x0c\x0b\x08\x07\x1b\0\x7f", r#""\n\r\t\f\v\b\a\e\x00\x7F""#),
            ("\u{e9}\u{2028}\u{1f600}", r#""\u00E9\u2028\u{1F600}""#),
        ] {
            assert_eq!(dump(text), expected);
        }
    }

    const YAML: &str = "\
--- !ruby/object:Gem::Specification
name: logstash-output-x
version: !ruby/object:Gem::Version
  version: 1.2.0
platform: java
authors:
- \"Zo\\u00EB\"
bindir: exe
cert_chain: []
date: 2024-02-29 00:00:00.000000000 Z
dependencies:
- !ruby/object:Gem::Dependency
  name: a
  requirement: !ruby/object:Gem::Requirement
    requirements:
    - - \"~>\"
      - !ruby/object:Gem::Version
        version: '1.0'
  type: :runtime
- !ruby/object:Gem::Dependency
  name: b
  type: :development
  version_requirements: !ruby/object:Gem::Requirement
    none: false
    requirements:
    - - ! '>='
      - !ruby/object:Gem::Version
        version: '0'
email: a@b.c
executables:
- run
files:
- lib/x.rb
- exe/run
- README.md
extra_rdoc_files:
- README.md
metadata:
  logstash_plugin: 'true'
  a: \"#{b}\"
required_ruby_version: !ruby/object:Gem::Requirement
  requirements:
  - - \">=\"
    - !ruby/object:Gem::Version
      version: '2.5'
  - - \"<\"
    - !ruby/object:Gem::Version
      version: '4'
rubygems_version: 3.3.26
specification_version: 4
summary: |
  two
  lines
test_files:
- spec/x.rb
";

    #[test]
    fn a_specification_in_full() {
        let spec = Specification::read(YAML).unwrap();
        assert_eq!(spec.full_name(), "logstash-output-x-1.2.0-java");
        assert_eq!(
            gemspec(&spec),
            r#"# -*- encoding: utf-8 -*-
# stub: logstash-output-x 1.2.0 java lib

Gem::Specification.new do |s|
  s.name = "logstash-output-x".freeze
  s.version = "1.2.0"
  s.platform = "java".freeze

  s.required_rubygems_version = Gem::Requirement.new(">= 0".freeze) if s.respond_to? :required_rubygems_version=
  s.metadata = { "a" => "\#{b}", "logstash_plugin" => "true" } if s.respond_to? :metadata=
  s.require_paths = ["lib".freeze]
  s.authors = ["Zo\u00EB".freeze]
  s.bindir = "exe".freeze
  s.date = "2024-02-29"
  s.email = "a@b.c".freeze
  s.executables = ["run".freeze]
  s.extra_rdoc_files = ["README.md".freeze]
  s.files = ["README.md".freeze, "exe/run".freeze, "lib/x.rb".freeze]
  s.required_ruby_version = Gem::Requirement.new([">= 2.5".freeze, "< 4".freeze])
  s.rubygems_version = "3.3.26".freeze
  s.summary = "two\nlines\n".freeze

  if s.respond_to? :specification_version then
    s.specification_version = 4
  end

  if s.respond_to? :add_runtime_dependency then
    s.add_runtime_dependency(%q<a>.freeze, ["~> 1.0"])
    s.add_development_dependency(%q<b>.freeze, [">= 0"])
  else
    s.add_dependency(%q<a>.freeze, ["~> 1.0"])
    s.add_dependency(%q<b>.freeze, [">= 0"])
  end
end
"#
        );
    }

    #[test]
    fn metadata_that_are_none_are_refused() {
        for (from, to, error) in [
            ("!ruby/object:Gem::Specification", "", "there is no Gem::Specification where one belongs"),
            ("name: logstash-output-x", "name: x>y", "its name is not made of letters, digits, `.`, `-` and `_`"),
            ("  name: a", "  name: a>.x", "`dependencies`: its name is not made of letters, digits, `.`, `-` and `_`"),
            ("version: 1.2.0", "version: one", "`version`: it is no version of a gem"),
            (
                "platform: java",
                "platform: x86_64-linux",
                "it is for the platform `x86_64-linux`, and Logstash runs JRuby",
            ),
            ("\"~>\"", "\"~\"", "the gem `a` that it needs: `requirement`: a condition has no known relation"),
            (":development", ":test", "nobody knows the kind `:test` in which it needs `b`"),
            ("date: 2024-02-29", "date: yesterday", "`date` is no date"),
            ("email: a@b.c", "require_paths:\n- \"lib\\n\"", "`require_paths` holds a control character"),
            ("email: a@b.c", "extensions:\n- \"a\\n\"", "`extensions` holds a control character"),
            ("specification_version: 4", "specification_version: four", "`specification_version` is no number"),
            ("- lib/x.rb", "- a: b", "`files` holds what is no text"),
            ("metadata:\n", "metadata: x\nx:\n", "`metadata` is no map"),
        ] {
            assert_eq!(Specification::read(&YAML.replacen(from, to, 1)).unwrap_err(), error);
        }
    }
}
