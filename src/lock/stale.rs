//! Whether a lock still answers what its recipe asks.

use std::fmt;
use std::mem::discriminant;

use super::want::{Input, Want, wants};
use super::{Lock, LockedFile};
use crate::name::Platform;
use crate::recipe::Recipe;

/// An input on which recipe and lock disagree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stale {
    /// Which input.
    pub input: Input,
    /// In what they disagree.
    pub why: Why,
}

/// In what a recipe and its lock disagree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The recipe asks for it, the lock does not have it.
    Missing {
        /// For which platform, where the lock has it for another.
        platform: Option<Platform>,
    },
    /// The recipe asks for something else than what was locked.
    Changed {
        /// What was asked for then.
        locked: String,
        /// What is asked for now.
        wanted: String,
    },
    /// The lock has it, the recipe does not ask for it.
    Superfluous {
        /// For which platform, where the lock says one.
        platform: Option<Platform>,
    },
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |platform: &Option<Platform>| platform.as_ref().map_or_else(String::new, |on| format!(" for {on}"));
        match &self.why {
            Why::Missing { platform } => write!(f, "{}{} is not in the lock", self.input, on(platform)),
            Why::Changed { locked, wanted } => {
                write!(f, "{}: the recipe asks for `{wanted}`, the lock has `{locked}`", self.input)
            }
            Why::Superfluous { platform } => {
                write!(f, "{}{} is in the lock, the recipe does not ask for it", self.input, on(platform))
            }
        }
    }
}

/// Each input on which a recipe and its lock disagree; none when the lock holds.
#[must_use]
pub fn stale(recipe: &Recipe, lock: &Lock) -> Vec<Stale> {
    let wants = wants(recipe);
    let mut found = base(&wants, lock);
    found.extend(files(&wants, &lock.plugin, Input::Plugin));
    found.extend(files(&wants, &lock.archive, Input::Archive));
    found.extend(hosts(&wants, lock));
    found.sort();
    found.dedup();
    found
}

fn base(wants: &[Want], lock: &Lock) -> Vec<Stale> {
    let stale = |why| Stale { input: Input::Base, why };
    let want = wants.iter().find(|want| want.input == Input::Base);
    let (want, base) = match (want, &lock.base) {
        (Some(want), Some(base)) => (want, base),
        (Some(_), None) => return vec![stale(Why::Missing { platform: None })],
        (None, Some(_)) => return vec![stale(Why::Superfluous { platform: None })],
        (None, None) => return Vec::new(),
    };
    if want.text != base.from {
        return vec![stale(Why::Changed { locked: base.from.clone(), wanted: want.text.clone() })];
    }
    let is_locked = |platform: &Platform| base.platform.iter().any(|locked| locked.name == *platform);
    let missing = want.platforms.iter().filter(|platform| !is_locked(platform));
    let missing = missing.map(|platform| stale(Why::Missing { platform: Some(platform.clone()) }));
    let surplus = base.platform.iter().enumerate().filter(|(i, locked)| {
        let again = base.platform[..*i].iter().any(|earlier| earlier.name == locked.name);
        again || !want.platforms.contains(&locked.name)
    });
    let surplus = surplus.map(|(_, locked)| stale(Why::Superfluous { platform: Some(locked.name.clone()) }));
    missing.chain(surplus).collect()
}

impl LockedFile {
    /// Whether this is the file for a platform.
    #[must_use]
    pub fn is_for(&self, platform: &Platform) -> bool {
        self.platform.as_ref().is_none_or(|only| only == platform)
    }
}

fn files(wants: &[Want], locked: &[LockedFile], kind: fn(String) -> Input) -> Vec<Stale> {
    let mut used = vec![false; locked.len()];
    let mut found = Vec::new();
    let same_kind = |want: &&Want| discriminant(&want.input) == discriminant(&kind(String::new()));
    for want in wants.iter().filter(same_kind) {
        for platform in &want.platforms {
            let called = |file: &LockedFile| kind(file.name.clone()) == want.input && file.is_for(platform);
            let right = locked.iter().position(|file| called(file) && file.want == want.text);
            let why = if let Some(i) = right.or_else(|| locked.iter().position(called)) {
                used[i] = true;
                if right.is_some() {
                    continue;
                }
                Why::Changed { locked: locked[i].want.clone(), wanted: want.text.clone() }
            } else {
                let elsewhere = locked.iter().any(|file| kind(file.name.clone()) == want.input);
                Why::Missing { platform: elsewhere.then(|| platform.clone()) }
            };
            found.push(Stale { input: want.input.clone(), why });
        }
    }
    let surplus = locked.iter().zip(used).filter(|(_, used)| !used).map(|(file, _)| Stale {
        input: kind(file.name.clone()),
        why: Why::Superfluous { platform: file.platform.clone() },
    });
    found.extend(surplus);
    found
}

fn hosts(wants: &[Want], lock: &Lock) -> Vec<Stale> {
    let mut used = vec![false; lock.ami.len()];
    let mut found = Vec::new();
    for want in wants.iter().filter(|want| matches!(want.input, Input::Ami(_))) {
        let why = match lock.ami.iter().position(|ami| Input::Ami(ami.architecture) == want.input) {
            Some(i) => {
                used[i] = true;
                let locked = &lock.ami[i];
                if locked.want == want.text && want.text.ends_with(&format!(" in {}", locked.region)) {
                    continue;
                }
                Why::Changed { locked: format!("{} ({})", locked.want, locked.region), wanted: want.text.clone() }
            }
            None => Why::Missing { platform: None },
        };
        found.push(Stale { input: want.input.clone(), why });
    }
    let surplus = lock.ami.iter().zip(used).filter(|(_, used)| !used);
    found.extend(
        surplus.map(|(ami, _)| Stale { input: Input::Ami(ami.architecture), why: Why::Superfluous { platform: None } }),
    );
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::lock;
    use crate::recipe;

    const RECIPE: &str = r#"
        kind = "image"
        product = "elasticsearch"
        version = "8.19.3"
        from = "docker.elastic.co/elasticsearch/elasticsearch:8.19.3"
        platforms = ["linux/amd64", "linux/arm64"]
        [[plugin]]
        name = "discovery-ec2"
        [[archive]]
        name = "agent"
        url = "https://example.com/agent.jar"
        into = "/opt"
    "#;

    fn lock_text() -> String {
        let sha = crate::digest::Digest::of(b"");
        let platform = |name: &str| format!("[[base.platform]]\nname = \"{name}\"\nmanifest = \"{sha}\"\n");
        let file = |kind: &str, name: &str, want: &str| {
            format!("[[{kind}]]\nname = \"{name}\"\nwant = \"{want}\"\nsha256 = \"{sha}\"\nsize = 1\n")
        };
        [
            "format = 1\n[base]\nfrom = \"docker.elastic.co/elasticsearch/elasticsearch:8.19.3\"\n".to_owned(),
            platform("linux/amd64"),
            platform("linux/arm64"),
            file("plugin", "discovery-ec2", "elasticsearch:discovery-ec2 8.19.3"),
            file("archive", "agent", "https://example.com/agent.jar"),
        ]
        .concat()
    }

    fn judge(recipe_text: &str, lock_text: &str) -> Vec<String> {
        let recipe = recipe::parse(Path::new("r.toml"), recipe_text).unwrap_or_else(|error| panic!("{error}"));
        let lock = lock::parse(Path::new("r.lock"), lock_text).unwrap_or_else(|error| panic!("{error}"));
        stale(&recipe.value, &lock.value).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_lock_that_answers_its_recipe_holds() {
        assert_eq!(judge(RECIPE, &lock_text()), [""; 0]);
    }

    #[test]
    fn each_changed_request_is_named() {
        for (from, to, message) in [
            (
                "version = \"8.19.3\"",
                "version = \"8.19.4\"",
                "plugin discovery-ec2: the recipe asks for `elasticsearch:discovery-ec2 8.19.4`, \
                 the lock has `elasticsearch:discovery-ec2 8.19.3`",
            ),
            (
                "elasticsearch:8.19.3\"",
                "elasticsearch:8.18.1\"",
                "base: the recipe asks for `docker.elastic.co/elasticsearch/elasticsearch:8.18.1`, \
                 the lock has `docker.elastic.co/elasticsearch/elasticsearch:8.19.3`",
            ),
            (
                "into = \"/opt\"",
                "into = \"/opt\"\nchecksum = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
                "archive agent: the recipe asks for `https://example.com/agent.jar \
                 sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`, \
                 the lock has `https://example.com/agent.jar`",
            ),
        ] {
            assert_eq!(judge(&RECIPE.replace(from, to), &lock_text()), [message]);
        }
    }

    #[test]
    fn what_is_missing_or_left_over_is_named() {
        let without = RECIPE.replace("[[plugin]]\n        name = \"discovery-ec2\"", "");
        assert_eq!(
            judge(&without, &lock_text()),
            ["plugin discovery-ec2 is in the lock, the recipe does not ask for it"]
        );
        let more = format!("{RECIPE}\n[[plugin]]\nname = \"analysis-icu\"");
        assert_eq!(judge(&more, &lock_text()), ["plugin analysis-icu is not in the lock"]);
        let fewer = RECIPE.replace(", \"linux/arm64\"", "");
        assert_eq!(
            judge(&fewer, &lock_text()),
            ["base for linux/arm64 is in the lock, the recipe does not ask for it"]
        );
        let other = RECIPE.replace("\"linux/arm64\"", "\"linux/s390x\"");
        assert_eq!(
            judge(&other, &lock_text()),
            [
                "base for linux/s390x is not in the lock",
                "base for linux/arm64 is in the lock, the recipe does not ask for it"
            ]
        );
        let only = lock_text().replace("name = \"agent\"", "name = \"agent\"\nplatform = \"linux/amd64\"");
        assert_eq!(judge(RECIPE, &only), ["archive agent for linux/arm64 is not in the lock"]);
        assert_eq!(
            judge(RECIPE, "format = 1"),
            ["base is not in the lock", "plugin discovery-ec2 is not in the lock", "archive agent is not in the lock"]
        );
    }

    #[test]
    fn a_host_is_judged_by_processor_region_and_request() {
        let recipe = "kind = \"ami\"\nversion = \"1.0\"\nregion = \"eu-west-1\"\n[base]\nid = \"ami-12345678\"\n";
        let lock = "format = 1\n[[ami]]\narchitecture = \"x86_64\"\nregion = \"eu-west-1\"\n\
            want = \"id:ami-12345678 in eu-west-1\"\nid = \"ami-12345678\"\nname = \"a\"\nowner = \"amazon\"\nsnapshot = \"snap-1\"\n\
            root_device = \"/dev/xvda\"\ncreated = \"2026\"\n";
        assert_eq!(judge(recipe, lock), [""; 0]);
        assert_eq!(judge(&recipe.replace("eu-west-1", "eu-west-2"), lock).len(), 1);
        assert_eq!(judge(recipe, &lock.replace("region = \"eu-west-1\"", "region = \"eu-west-2\"")).len(), 1);
        assert_eq!(judge(recipe, &lock.replace("x86_64", "arm64")).len(), 2);
    }
}
