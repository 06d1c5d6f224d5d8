//! Where things are fetched from instead. The digest stays the authority, so a mirror needs no trust.

use crate::name::{Reference, Registry};
use crate::recipe::Url;

/// Rules that map a host, or a host and the beginning of a path, to another.
///
/// The longest prefix wins; only whole path components match. A prefix with a scheme is for downloads only, one
/// without is for downloads and images. There is no way back from a mirror to the original: where a company
/// blocks the internet on purpose, a silent way around would be no service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    from: Place,
    to: Place,
}

/// `[scheme://]host[:port][/path]`, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    scheme: Option<String>,
    rest: String,
}

/// Why a text is no mirror rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// One side cannot be read.
    #[error("mirror `{from}` = `{to}`: `{side}` is no `HOST`, `HOST/PATH` or `https://HOST/PATH`")]
    Place {
        /// What is replaced.
        from: String,
        /// By what.
        to: String,
        /// The side that is wrong.
        side: String,
    },
    /// Two rules for one thing.
    #[error("there are two mirrors for `{0}`")]
    Twice(String),
}

/// What a rule made of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored<T> {
    /// Where to ask.
    pub there: T,
    /// The rule, for people: `A is fetched from the mirror B`.
    pub rule: String,
    /// Whether the rule says that this mirror is spoken to by plain HTTP. It says so of itself only: the same host
    /// named in a recipe is another matter.
    pub plain: bool,
}

/// A rule leads to something that cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mirror makes `{0}` of it, which cannot be asked for")]
pub struct Unusable(String);

impl Mirrors {
    /// Reads rules: what is replaced, and by what.
    ///
    /// # Errors
    /// When a side is no place, or when two rules replace the same.
    pub fn new(rules: impl IntoIterator<Item = (String, String)>) -> Result<Self, MirrorError> {
        let mut read: Vec<Rule> = Vec::new();
        for (from, to) in rules {
            let place = |side: &str| {
                Place::read(side).ok_or_else(|| MirrorError::Place {
                    from: from.clone(),
                    to: to.clone(),
                    side: side.to_owned(),
                })
            };
            let rule = Rule { from: place(&from)?, to: place(&to)? };
            if read.iter().any(|other| other.from == rule.from) {
                return Err(MirrorError::Twice(from));
            }
            read.push(rule);
        }
        Ok(Self(read))
    }

    /// Where an image is fetched from, if not from where it says.
    ///
    /// # Errors
    /// When the replacement is no reference.
    pub fn reference(&self, reference: &Reference) -> Result<Option<Mirrored<Reference>>, Unusable> {
        let place = format!("{}/{}", reference.registry, reference.repository);
        let Some((rule, rest)) = self.find(None, &place) else { return Ok(None) };
        let text = format!("{}{rest}", rule.to.rest);
        let unusable = || Unusable(text.clone());
        let (registry, repository) = text.split_once('/').ok_or_else(unusable)?;
        let there = Reference {
            registry: registry.parse().map_err(|_| unusable())?,
            repository: repository.parse().map_err(|_| unusable())?,
            ..reference.clone()
        };
        Ok(Some(Mirrored { there, rule: rule.told(), plain: rule.to.scheme.as_deref() == Some("http") }))
    }

    /// Where a download is fetched from, if not from where it says.
    ///
    /// # Errors
    /// When the replacement is no URL.
    pub fn url(&self, url: &Url) -> Result<Option<Mirrored<Url>>, Unusable> {
        let Some((scheme, place)) = url.as_str().split_once("://") else { return Ok(None) };
        let Some((rule, rest)) = self.find(Some(scheme), place) else { return Ok(None) };
        let scheme = rule.to.scheme.as_deref().unwrap_or(scheme);
        let text = format!("{scheme}://{}{rest}", rule.to.rest);
        let there = text.parse().map_err(|_| Unusable(text))?;
        Ok(Some(Mirrored { there, rule: rule.told(), plain: rule.to.scheme.as_deref() == Some("http") }))
    }

    fn find<'t>(&self, scheme: Option<&str>, place: &'t str) -> Option<(&Rule, &'t str)> {
        let matching = self.0.iter().filter_map(|rule| Some((rule, rule.from.matches(scheme, place)?)));
        matching.max_by_key(|(rule, _)| (rule.from.rest.len(), rule.from.scheme.is_some()))
    }
}

impl Rule {
    fn told(&self) -> String {
        format!("{} is fetched from the mirror {}", self.from.told(), self.to.told())
    }
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme.to_owned()), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        host.parse::<Registry>().ok()?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_path = path.chars().all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '?' | '#' | '@'));
        let rest = format!("{}{path}", host.to_ascii_lowercase());
        (is_path && !path.contains("//")).then_some(Self { scheme, rest })
    }

    fn host(&self) -> &str {
        self.rest.split('/').next().unwrap_or_default()
    }

    /// What comes after this in `place`, where this is the beginning of it.
    fn matches<'t>(&self, scheme: Option<&str>, place: &'t str) -> Option<&'t str> {
        if self.scheme.is_some() && self.scheme.as_deref() != scheme {
            return None;
        }
        let head = place.get(..self.rest.len())?;
        let rest = place.get(self.rest.len()..)?;
        // Hosts are the same in any case, paths are not.
        let (host, path) = head.split_at_checked(self.host().len())?;
        let same = host.eq_ignore_ascii_case(self.host()) && path == &self.rest[self.host().len()..];
        (same && (rest.is_empty() || rest.starts_with(['/', '?', '#']))).then_some(rest)
    }

    fn told(&self) -> String {
        match &self.scheme {
            Some(scheme) => format!("{scheme}://{}", self.rest),
            None => self.rest.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mirrors(rules: &[(&str, &str)]) -> Mirrors {
        Mirrors::new(rules.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))).unwrap()
    }

    fn reference(mirrors: &Mirrors, text: &str) -> Option<String> {
        mirrors.reference(&text.parse().unwrap()).unwrap().map(|to| to.there.to_string())
    }

    fn url(mirrors: &Mirrors, text: &str) -> Option<String> {
        mirrors.url(&text.parse().unwrap()).unwrap().map(|to| to.there.to_string())
    }

    #[test]
    fn images_move_with_their_whole_path() {
        let mirrors = mirrors(&[
            ("docker.elastic.co", "mirror.corp:5000/elastic"),
            ("docker.elastic.co/beats", "beats.corp/b"),
            ("docker.io", "mirror.corp:5000/hub"),
            ("https://docker.elastic.co/kibana", "never.corp"),
        ]);
        for (from, to) in [
            (
                "docker.elastic.co/elasticsearch/elasticsearch:8.19.3",
                Some("mirror.corp:5000/elastic/elasticsearch/elasticsearch:8.19.3"),
            ),
            ("docker.elastic.co/beats/filebeat", Some("beats.corp/b/filebeat")),
            ("docker.elastic.co/beatsy/filebeat", Some("mirror.corp:5000/elastic/beatsy/filebeat")),
            ("docker.elastic.co/kibana/kibana", Some("mirror.corp:5000/elastic/kibana/kibana")),
            ("Docker.Elastic.Co/a", Some("mirror.corp:5000/elastic/a")),
            ("ubuntu:24.04", Some("mirror.corp:5000/hub/library/ubuntu:24.04")),
            ("docker.elastic.com/a", None),
            ("quay.io/a/b", None),
        ] {
            assert_eq!(reference(&mirrors, from).as_deref(), to, "{from}");
        }
    }

    #[test]
    fn downloads_move_with_their_path_and_query() {
        let mirrors = mirrors(&[
            ("artifacts.elastic.co", "mirror.corp"),
            ("https://artifacts.elastic.co/downloads/", "http://mirror.corp:81/x/"),
        ]);
        for (from, to) in [
            ("https://artifacts.elastic.co/downloads/a.zip?b=c", Some("http://mirror.corp:81/x/a.zip?b=c")),
            ("http://artifacts.elastic.co/downloads/a.zip", Some("http://mirror.corp/downloads/a.zip")),
            ("https://artifacts.elastic.co/downloadsx/a", Some("https://mirror.corp/downloadsx/a")),
            ("https://artifacts.elastic.co?x", Some("https://mirror.corp?x")),
            ("https://artifacts.elastic.co.evil/a", None),
            ("https://artifacts.elastic.co:444/a", None),
        ] {
            assert_eq!(url(&mirrors, from).as_deref(), to, "{from}");
        }
    }

    #[test]
    fn a_mirror_by_plain_http_is_known_as_such() {
        let mirrors =
            mirrors(&[("a.b", "http://mirror:81/x"), ("c.d", "https://other"), ("https://e.f", "http://c.d")]);
        let plain = |text: &str| mirrors.reference(&text.parse().unwrap()).unwrap().map(|to| to.plain);
        assert_eq!((plain("a.b/c"), plain("c.d/c")), (Some(true), Some(false)));
        // What is said of downloads, and of the mirror's own host in a recipe, is another matter.
        assert_eq!((plain("e.f/c"), plain("mirror:81/c")), (None, None));
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        for (from, to) in [
            ("", "a.b"),
            ("a.b", ""),
            ("ftp://a.b", "c.d"),
            ("a b", "c.d"),
            ("a.b/?x", "c.d"),
            ("a.b", "user@c.d"),
            ("a.b//c", "c.d"),
        ] {
            assert!(Mirrors::new([(from.to_owned(), to.to_owned())]).is_err(), "{from} {to}");
        }
        let twice = [("a.b", "c.d"), ("A.b/", "e.f")].map(|(from, to)| (from.to_owned(), to.to_owned()));
        assert_eq!(Mirrors::new(twice), Err(MirrorError::Twice("A.b/".to_owned())));
        let upper = mirrors(&[("a.b", "c.d/UPPER")]);
        assert!(upper.reference(&"a.b/c".parse().unwrap()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whole_components_move_and_nothing_else_changes(
            host in "[a-z]{1,3}\\.[a-z]{2}",
            prefix in prop::collection::vec("[a-z]{1,2}", 0..3),
            path in prop::collection::vec("[a-z]{1,2}", 1..5),
        ) {
            let from = std::iter::once(host.clone()).chain(prefix.clone()).collect::<Vec<_>>().join("/");
            let mirrors = mirrors(&[(&from, "m.c:5000/x")]);
            let there = url(&mirrors, &format!("https://{host}/{}", path.join("/")));
            let expected = path.strip_prefix(prefix.as_slice()).map(|rest| {
                let parts = std::iter::once("https://m.c:5000/x".to_owned()).chain(rest.iter().cloned());
                parts.collect::<Vec<_>>().join("/")
            });
            prop_assert_eq!(there, expected);
        }

        #[test]
        fn the_longest_prefix_wins_in_any_order(
            path in prop::collection::vec("[a-z]{1,2}", 1..6),
            lengths in prop::sample::subsequence(vec![0_usize, 1, 2, 3, 4, 5], 1..6).prop_shuffle(),
        ) {
            let head = |n: usize| std::iter::once("h.co".to_owned()).chain(path.iter().take(n).cloned());
            let lengths: Vec<_> = lengths.into_iter().filter(|n| *n <= path.len()).collect();
            let rules = lengths.iter().map(|n| (head(*n).collect::<Vec<_>>().join("/"), format!("to{n}.co/x")));
            let mirrors = Mirrors::new(rules).unwrap();
            let there = url(&mirrors, &format!("https://h.co/{}", path.join("/")));
            let longest = lengths.iter().max().map(|n| format!("https://to{n}.co/x"));
            prop_assert_eq!(there.map(|url| url[..longest.as_ref().map_or(0, String::len)].to_owned()), longest);
        }

        #[test]
        fn no_text_panics(from: String, to: String, url: String) {
            if let (Ok(mirrors), Ok(url)) = (Mirrors::new([(from, to)]), format!("https://{url}").parse()) {
                let _ = mirrors.url(&url);
            }
        }
    }
}
