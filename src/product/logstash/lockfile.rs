//! `Gemfile.lock`: which gem of which version Logstash starts with. Bundler is told at each start that nothing may
//! change, so what is written here has to be what Bundler would have written.

use super::version::{Requirement, Version};

/// A lock, section by section, in the very lines it was read from.
#[derive(Clone, Debug)]
pub(super) struct Lockfile {
    sections: Vec<Section>,
}

#[derive(Clone, Debug)]
struct Section {
    title: String,
    lines: Vec<String>,
}

/// A gem in a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LockedGem {
    /// Its name.
    pub(super) name: String,
    /// Its version.
    pub(super) version: Version,
    /// What it runs on, where it is not any Ruby.
    pub(super) platform: Option<String>,
    /// The gems it needs.
    pub(super) needs: Vec<(String, Requirement)>,
    /// Whether it lies in a folder of Logstash's own.
    pub(super) is_local: bool,
}

impl LockedGem {
    /// What its folder and its files are called.
    #[must_use]
    pub(super) fn full_name(&self) -> String {
        let platform = self.platform.iter().map(|platform| format!("-{platform}")).collect::<String>();
        format!("{}-{}{platform}", self.name, self.version)
    }

    /// Its lines, as they stand in a lock: what it needs, each once, by name and then by conditions.
    fn lines(&self) -> Vec<String> {
        let full = self.full_name();
        let mut needs: Vec<_> = self.needs.iter().collect();
        needs.sort_by_cached_key(|(name, requirement)| format!("{name} ({requirement})"));
        let mut lines = vec![format!("    {} ({})", self.name, &full[self.name.len() + 1..])];
        lines.extend(needs.iter().map(|(name, requirement)| format!("      {name}{}", requirement.locked())));
        lines.dedup();
        lines
    }
}

/// The sections that gems stand in.
const SOURCES: [&str; 4] = ["GEM", "PATH", "GIT", "PLUGIN SOURCE"];

/// The line behind which they stand.
const SPECS: &str = "  specs:";

impl Lockfile {
    /// Reads a lock as Bundler writes it.
    ///
    /// # Errors
    /// Says what is not as Bundler writes it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut sections: Vec<Section> = Vec::new();
        for part in text.strip_suffix('\n').unwrap_or(text).split("\n\n") {
            let mut lines = part.split('\n').map(str::to_owned);
            let title = lines.next().unwrap_or_default();
            sections.push(Section { title, lines: lines.collect() });
        }
        let lock = Self { sections };
        for section in &lock.sections {
            let is_title = section.title.starts_with(|c: char| c.is_ascii_uppercase());
            if !is_title || section.lines.iter().any(|line| !line.starts_with("  ") || line.trim().is_empty()) {
                return Err(format!("the section that begins with `{}` is not as Bundler writes it", section.title));
            }
        }
        if lock.sections.iter().filter(|section| section.title == "GEM").count() != 1 {
            return Err("it has no single section `GEM`".to_owned());
        }
        if !lock.section("GEM").is_some_and(|gems| gems.lines.iter().any(|line| line == SPECS)) {
            return Err("its section `GEM` has no `specs:`".to_owned());
        }
        if lock.section("DEPENDENCIES").is_none() {
            return Err("it has no section `DEPENDENCIES`".to_owned());
        }
        if !lock.section("PLATFORMS").is_some_and(|platforms| platforms.lines.iter().any(|line| line == "  java")) {
            return Err("its section `PLATFORMS` does not hold `java`".to_owned());
        }
        Ok(lock)
    }

    fn section(&self, title: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.title == title)
    }

    fn lines_of(&mut self, title: &str) -> Option<&mut Vec<String>> {
        self.sections.iter_mut().find(|section| section.title == title).map(|section| &mut section.lines)
    }

    /// All gems in it.
    ///
    /// # Errors
    /// Says which line cannot be read.
    pub(super) fn gems(&self) -> Result<Vec<LockedGem>, String> {
        let mut gems: Vec<LockedGem> = Vec::new();
        for section in self.sections.iter().filter(|section| SOURCES.contains(&section.title.as_str())) {
            for line in section.lines.iter().skip_while(|line| *line != SPECS).skip(1) {
                let wrong = || format!("a line of it cannot be read: {line}");
                if let Some(need) = line.strip_prefix("      ") {
                    let need = parse_need(need).ok_or_else(wrong)?;
                    gems.last_mut().ok_or_else(wrong)?.needs.push(need);
                } else {
                    let mut gem = line.strip_prefix("    ").and_then(parse_gem).ok_or_else(wrong)?;
                    gem.is_local = section.title != "GEM";
                    gems.push(gem);
                }
            }
        }
        Ok(gems)
    }

    /// The version of Bundler that wrote it.
    #[must_use]
    pub(super) fn bundler(&self) -> Option<Version> {
        Version::parse(self.section("BUNDLED WITH")?.lines.first()?)
    }

    /// Adds a gem, with the SHA-256 of its file for locks that keep those.
    pub(super) fn add(&mut self, gem: &LockedGem, sha256: &str) {
        let full = gem.full_name();
        if let Some(lines) = self.lines_of("GEM") {
            let specs = lines.iter().position(|line| line == SPECS).map_or(lines.len(), |at| at + 1);
            let is_later = |line: &String| {
                let other = line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')).and_then(parse_gem);
                other.is_some_and(|other| other.full_name() > full)
            };
            let at = lines[specs..].iter().position(is_later).map_or(lines.len(), |at| specs + at);
            lines.splice(at..at, gem.lines());
        }
        if let Some(lines) = self.lines_of("CHECKSUMS") {
            lines.push(format!("  {} ({}) sha256={sha256}", gem.name, &full[gem.name.len() + 1..]));
            lines.sort_unstable();
        }
    }

    /// Says that the `Gemfile` asks for a gem in exactly one version.
    pub(super) fn depend(&mut self, name: &str, version: &Version) {
        let Some(lines) = self.lines_of("DEPENDENCIES") else { return };
        let name_of = |line: &str| line.trim().split([' ', '!']).next().unwrap_or_default().to_owned();
        lines.retain(|line| name_of(line) != name);
        let at = lines.iter().position(|line| name_of(line).as_str() > name).unwrap_or(lines.len());
        lines.insert(at, format!("  {name}{}", Requirement::exactly(version).locked()));
    }

    /// The text to write.
    #[must_use]
    pub(super) fn text(&self) -> String {
        let sections = self.sections.iter().map(|section| {
            let lines = section.lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            format!("{}\n{lines}", section.title)
        });
        sections.collect::<Vec<_>>().join("\n")
    }
}

/// `NAME (VERSION)` or `NAME (VERSION-PLATFORM)`
fn parse_gem(text: &str) -> Option<LockedGem> {
    let (name, version) = text.strip_suffix(')')?.split_once(" (")?;
    let (version, platform) = match version.split_once('-') {
        Some((version, platform)) => (version, Some(platform.to_owned())),
        None => (version, None),
    };
    let version = Version::parse(version)?;
    Some(LockedGem { name: name.to_owned(), version, platform, needs: Vec::new(), is_local: false })
}

/// `NAME` or `NAME (CONDITION, …)`
fn parse_need(text: &str) -> Option<(String, Requirement)> {
    match text.strip_suffix(')').and_then(|text| text.split_once(" (")) {
        Some((name, conditions)) => Some((name.to_owned(), Requirement::parse(conditions.split(", "))?)),
        None if text.contains([' ', '(', ')']) => None,
        None => Some((text.to_owned(), Requirement::any())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "\
PATH
  remote: logstash-core
  specs:
    logstash-core (9.2.0-java)
      b (~> 1, >= 1.3)

GEM
  remote: https://rubygems.org/
  specs:
    a (1.0-java)
    b (1.9)
      c
    b-x (2)
    c (0.0.1.pre)

PLATFORMS
  java

DEPENDENCIES
  a (= 1.0)
  b-x
  logstash-core!

BUNDLED WITH
   2.3.26
";

    fn gem(name: &str, version: &str, platform: Option<&str>, needs: &[(&str, &[&str])]) -> LockedGem {
        let need = |(name, conditions): &(&str, &[&str])| {
            ((*name).to_owned(), Requirement::parse(conditions.iter().copied()).unwrap())
        };
        LockedGem {
            name: name.to_owned(),
            version: Version::parse(version).unwrap(),
            platform: platform.map(str::to_owned),
            needs: needs.iter().map(need).collect(),
            is_local: false,
        }
    }

    #[test]
    fn a_lock_is_read_and_written_as_it_was() {
        let lock = Lockfile::read(LOCK).unwrap();
        assert_eq!(lock.text(), LOCK);
        assert_eq!(lock.bundler(), Version::parse("2.3.26"));
        let core =
            LockedGem { is_local: true, ..gem("logstash-core", "9.2.0", Some("java"), &[("b", &["~> 1", ">= 1.3"])]) };
        let rest = [gem("a", "1.0", Some("java"), &[]), gem("b", "1.9", None, &[("c", &[])])];
        let gems = lock.gems().unwrap();
        assert_eq!(gems[..3], [vec![core], rest.to_vec()].concat());
        let names: Vec<_> = gems.iter().map(LockedGem::full_name).collect();
        assert_eq!(names, ["logstash-core-9.2.0-java", "a-1.0-java", "b-1.9", "b-x-2", "c-0.0.1.pre"]);
    }

    /// By the whole name, so that `b-1` in version 3 stands before `b` in version 1.9.
    #[test]
    fn gems_stand_where_bundler_puts_them() {
        let mut lock = Lockfile::read(LOCK).unwrap();
        lock.add(&gem("b-1", "3", None, &[]), "00");
        lock.add(
            &gem("d", "1", Some("java"), &[("z", &[]), ("y", &["< 3", ">= 1"]), ("y-a", &["1"]), ("z", &[])]),
            "00",
        );
        lock.add(&gem("a", "0.9", None, &[]), "00");
        let expected = LOCK
            .replace("    a (1.0", "    a (0.9)\n    a (1.0")
            .replace("    b (1.9)\n", "    b-1 (3)\n    b (1.9)\n")
            .replace("(0.0.1.pre)\n", "(0.0.1.pre)\n    d (1-java)\n      y (>= 1, < 3)\n      y-a (= 1)\n      z\n");
        assert_eq!(lock.text(), expected);
    }

    #[test]
    fn dependencies_stand_by_name_and_once() {
        let mut lock = Lockfile::read(LOCK).unwrap();
        let version = Version::parse("3.0").unwrap();
        for name in ["b", "b-x", "zz", "logstash-a"] {
            lock.depend(name, &version);
        }
        let expected = LOCK.replace(
            "  b-x\n  logstash-core!\n",
            "  b (= 3.0)\n  b-x (= 3.0)\n  logstash-a (= 3.0)\n  logstash-core!\n  zz (= 3.0)\n",
        );
        assert_eq!(lock.text(), expected);
    }

    /// Bundler keeps checksums from version 2.5 on, where a lock has the section.
    #[test]
    fn checksums_are_kept_where_a_lock_has_them() {
        let checksums = "CHECKSUMS\n  a (1.0-java) sha256=11\n  c (0.0.1.pre) sha256=22\n";
        let with = LOCK.replace("BUNDLED", &format!("{checksums}\nBUNDLED"));
        let mut lock = Lockfile::read(&with).unwrap();
        lock.add(&gem("b", "2", Some("java"), &[]), "33");
        assert!(lock.text().contains("sha256=11\n  b (2-java) sha256=33\n  c (0"), "{}", lock.text());
    }

    #[test]
    fn what_is_not_as_bundler_writes_it_is_refused() {
        for (from, to, error) in [
            ("GEM\n", "GEMS\n", "it has no single section `GEM`"),
            ("PATH\n", "GEM\n", "it has no single section `GEM`"),
            ("  specs:\n    a", "    a", "its section `GEM` has no `specs:`"),
            ("DEPENDENCIES\n", "X\n", "it has no section `DEPENDENCIES`"),
            ("  java\n", "  x86_64-linux\n", "its section `PLATFORMS` does not hold `java`"),
            ("GEM\n", "<<<<<<< HEAD\n", "the section that begins with `<<<<<<< HEAD` is not as Bundler writes it"),
            ("    b (1.9)\n", "b (1.9)\n", "the section that begins with `GEM` is not as Bundler writes it"),
        ] {
            assert_eq!(Lockfile::read(&LOCK.replacen(from, to, 1)).unwrap_err(), error);
        }
        for wrong in ["    b 1.9", "    b (x)", "      b (>> 1)", "   b (1)"] {
            let text = LOCK.replacen("    b (1.9)", wrong, 1);
            assert_eq!(
                Lockfile::read(&text).unwrap().gems().unwrap_err(),
                format!("a line of it cannot be read: {wrong}")
            );
        }
    }
}
