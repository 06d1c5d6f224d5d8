//! Logstash's `Gemfile`: which gems it starts with. Logstash writes it anew with each plugin, in a form of its own.

use super::version::Version;

/// A `Gemfile`, line by line.
#[derive(Clone, Debug)]
pub(super) struct Gemfile {
    lines: Vec<String>,
}

/// `gem "NAME", "CONDITION", …, OPTIONS`
struct Line<'l> {
    name: &'l str,
    /// What is behind the conditions, as it is.
    options: &'l str,
}

impl Gemfile {
    /// Reads a `Gemfile` in the form in which Logstash writes it.
    ///
    /// # Errors
    /// Says which line is in another form: it may be any Ruby at all.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::to_owned).collect();
        let known = |line: &String| {
            line.trim().is_empty()
                || ["#", "source ", "gemspec "].iter().any(|start| line.starts_with(start))
                || parse(line).is_some()
        };
        match lines.iter().position(|line| !known(line)) {
            Some(i) => Err(format!("line {} is not as Logstash writes it: {}", i + 1, lines[i])),
            None => Ok(Self { lines }),
        }
    }

    /// Whether a gem is named in it. Logstash makes no difference between large and small letters here.
    #[must_use]
    pub(super) fn has(&self, name: &str) -> bool {
        self.lines.iter().filter_map(|line| parse(line)).any(|line| line.name.eq_ignore_ascii_case(name))
    }

    /// Adds a gem in exactly one version, or changes the version of one that is in it.
    pub(super) fn pin(&mut self, name: &str, version: &Version) {
        let pinned = |options: &str| match options {
            "" => format!("gem \"{name}\", \"= {version}\""),
            options => format!("gem \"{name}\", \"= {version}\", {options}"),
        };
        let is_it = |line: &Line<'_>| line.name.eq_ignore_ascii_case(name);
        for line in &mut self.lines {
            if let Some(options) = parse(line).filter(is_it).map(|line| line.options.to_owned()) {
                *line = pinned(&options);
                return;
            }
        }
        while self.lines.last().is_some_and(|line| line.trim().is_empty()) {
            self.lines.pop();
        }
        self.lines.push(pinned(""));
    }

    /// The text to write.
    #[must_use]
    pub(super) fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

fn parse(line: &str) -> Option<Line<'_>> {
    let (name, mut rest) = quoted(line.strip_prefix("gem ")?.trim_start())?;
    loop {
        let Some(after) = rest.trim_start().strip_prefix(',') else {
            return rest.trim().is_empty().then_some(Line { name, options: "" });
        };
        match quoted(after.trim_start()) {
            Some((_, behind)) if !behind.trim_start().starts_with("=>") => rest = behind,
            _ => return Some(Line { name, options: after.trim() }),
        }
    }
}

/// The text in quotes that something begins with, and what is behind it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text[1..].split_once(quote).filter(|(inner, _)| !inner.contains(['\\', '#']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEMFILE: &str = "\
# This is a Logstash generated Gemfile.
# If you modify this file manually all comments and formatting will be lost.

source \"https://rubygems.org\"
gem \"logstash-core\", :path => \"./logstash-core\"
gem \"pleaserun\", \"~>0.0.28\", :require => false
gem \"fpm\", \"~> 1\", \">= 1.14.1\", :group => :build
gem \"logstash-input-tcp\"
";

    fn pinned(name: &str) -> String {
        let mut gemfile = Gemfile::read(GEMFILE).unwrap();
        gemfile.pin(name, &Version::parse("2.0").unwrap());
        gemfile.text()
    }

    #[test]
    fn a_new_gem_is_the_last_line() {
        assert_eq!(Gemfile::read(GEMFILE).unwrap().text(), GEMFILE);
        assert_eq!(pinned("logstash-output-x"), format!("{GEMFILE}gem \"logstash-output-x\", \"= 2.0\"\n"));
    }

    #[test]
    fn a_known_gem_keeps_its_line_and_options() {
        assert!(Gemfile::read(GEMFILE).unwrap().has("FPM"));
        assert!(!Gemfile::read(GEMFILE).unwrap().has("logstash"));
        let one_line = |from: &str, to: &str| GEMFILE.replace(from, to);
        assert_eq!(pinned("fpm"), one_line("\"~> 1\", \">= 1.14.1\"", "\"= 2.0\""));
        assert_eq!(pinned("logstash-input-tcp"), one_line("input-tcp\"", "input-tcp\", \"= 2.0\""));
        assert_eq!(pinned("logstash-core"), one_line("\"logstash-core\", ", "\"logstash-core\", \"= 2.0\", "));
    }

    #[test]
    fn what_may_be_any_ruby_is_refused() {
        for wrong in [
            "if true",
            "gem 'a' if x",
            "gem(\"a\")",
            "eval_gemfile \"x\"",
            "  gem \"a\"",
            "gem \"a#{b}\"",
            "group :x do",
        ] {
            let error = Gemfile::read(&format!("# c\n{wrong}\n")).unwrap_err();
            assert_eq!(error, format!("line 2 is not as Logstash writes it: {wrong}"));
        }
    }
}
