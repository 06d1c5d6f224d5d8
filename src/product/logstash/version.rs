//! Versions of gems and what they have to satisfy, compared exactly as RubyGems compares them: Bundler asks the same
//! questions again each time Logstash starts.

use std::cmp::Ordering;
use std::fmt;

/// A gem's version.
#[derive(Clone, Debug)]
pub(super) struct Version {
    text: String,
    segments: Vec<Segment>,
}

/// A run of letters or of digits. Letters make a version a prerelease, and so come before any number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Letters(String),
    Number(Number),
}

/// A number of any length, because dates are used as versions: its digits without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Number(String);

impl Number {
    fn new(digits: &str) -> Self {
        Self(digits.trim_start_matches('0').to_owned())
    }

    fn successor(&self) -> Self {
        let kept = self.0.trim_end_matches('9');
        let zeros = "0".repeat(self.0.len() - kept.len());
        let raised = match kept.char_indices().next_back().and_then(|(at, last)| Some((at, last.to_digit(10)?))) {
            Some((at, last)) => format!("{}{}", &kept[..at], last + 1),
            None => "1".to_owned(),
        };
        Self(raised + &zeros)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

const ZERO: Segment = Segment::Number(Number(String::new()));

/// Longer versions are nobody's.
const LONGEST: usize = 200;

impl Version {
    /// Reads a version; `None` where it is none.
    #[must_use]
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = trim(text);
        // What RubyGems makes of hyphens without anything between them it could not read again, and nobody writes it.
        let mut parts = text.split(['.', '-']);
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric());
        let right = text.len() <= LONGEST && parts.next().is_some_and(is_number) && parts.all(is_part);
        // RubyGems reads a hyphen so, and remembers only this spelling.
        right.then(|| Self::of(text.replace('-', ".pre.")))
    }

    fn of(text: String) -> Self {
        let mut segments = Vec::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.bytes().next() {
            let same = |c: u8| match first {
                b'0'..=b'9' => c.is_ascii_digit(),
                _ if first.is_ascii_alphabetic() => c.is_ascii_alphabetic(),
                _ => false,
            };
            let run = rest.bytes().take_while(|c| same(*c)).count();
            match &rest[..run] {
                "" => {}
                digits if first.is_ascii_digit() => segments.push(Segment::Number(Number::new(digits))),
                letters => segments.push(Segment::Letters(letters.to_owned())),
            }
            rest = &rest[run.max(1)..];
        }
        Self { text, segments }
    }

    /// As it is written.
    #[must_use]
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    fn numbers(&self) -> impl Iterator<Item = &Number> {
        self.segments.iter().map_while(|segment| match segment {
            Segment::Number(number) => Some(number),
            Segment::Letters(_) => None,
        })
    }

    /// The version that a prerelease leads to.
    fn release(&self) -> Self {
        Self::of_numbers(self.numbers().cloned().collect())
    }

    /// The first version that `~>` does not take any more.
    fn bump(&self) -> Self {
        let mut numbers: Vec<_> = self.numbers().cloned().collect();
        if numbers.len() > 1 {
            numbers.pop();
        }
        if let Some(last) = numbers.last_mut() {
            *last = last.successor();
        }
        Self::of_numbers(numbers)
    }

    fn of_numbers(numbers: Vec<Number>) -> Self {
        let texts: Vec<_> = numbers.iter().map(|n| if n.0.is_empty() { "0" } else { &n.0 }).collect();
        Self { text: texts.join("."), segments: numbers.into_iter().map(Segment::Number).collect() }
    }

    /// The segments without the zeros at the end of the numbers, and of the whole: `1.0.a` is `1.a`.
    fn canonical(&self) -> Vec<&Segment> {
        let numbers = self.numbers().count();
        let cut = |part: &'_ [Segment]| part.len() - part.iter().rev().take_while(|s| **s == ZERO).count();
        let (first, second) = self.segments.split_at(numbers);
        first[..cut(first)].iter().chain(&second[..cut(second)]).collect()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.canonical(), other.canonical());
        let at = |segments: &[&'_ Segment], i: usize| segments.get(i).map_or(ZERO, |segment| (*segment).clone());
        let most = left.len().max(right.len());
        (0..most).map(|i| at(&left, i).cmp(&at(&right, i))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// One condition on a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Above,
    Below,
    About,
}

/// Longer spellings first, so that `>=` is not read as `>`.
const RELATIONS: [(&str, Relation); 7] = [
    ("!=", Relation::NotEqual),
    (">=", Relation::AtLeast),
    ("<=", Relation::AtMost),
    ("~>", Relation::About),
    ("=", Relation::Equal),
    (">", Relation::Above),
    ("<", Relation::Below),
];

impl Relation {
    fn as_str(self) -> &'static str {
        RELATIONS.iter().find(|(_, relation)| *relation == self).map_or("", |(text, _)| text)
    }
}

/// What a gem asks of the version of another, all of which must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement(Vec<(Relation, Version)>);

impl Requirement {
    /// The requirement of exactly one version.
    #[must_use]
    pub(super) fn exactly(version: &Version) -> Self {
        Self(vec![(Relation::Equal, version.clone())])
    }

    /// Any release at all.
    #[must_use]
    pub(super) fn any() -> Self {
        Self(vec![(Relation::AtLeast, Version::of("0".to_owned()))])
    }

    /// Reads conditions, each such as `~> 1.2` or `1.2`; `None` where one of them is none. No conditions are
    /// [`Requirement::any`].
    pub(super) fn parse<'t>(conditions: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let conditions = conditions.into_iter().map(|text| {
            let text = trim(text);
            let of = |(sign, relation): &(&str, Relation)| Some((*relation, text.strip_prefix(sign)?));
            let (relation, version) = RELATIONS.iter().find_map(of).unwrap_or((Relation::Equal, text));
            Some((relation, Version::parse(version)?))
        });
        let conditions: Vec<_> = conditions.collect::<Option<_>>()?;
        Some(if conditions.is_empty() { Self::any() } else { Self(conditions) })
    }

    /// Whether it asks for nothing.
    #[must_use]
    pub(super) fn is_any(&self) -> bool {
        matches!(&self.0[..], [(Relation::AtLeast, version)] if *version == Version::of("0".to_owned()))
    }

    /// Whether a version will do. Where nothing is asked, a prerelease will do too, as it does for Bundler.
    #[must_use]
    pub(super) fn is_met_by(&self, version: &Version) -> bool {
        self.is_any() || self.0.iter().all(|(relation, wanted)| holds(*relation, version, wanted))
    }

    /// Each condition as RubyGems writes it, in the order in which they were read.
    pub(super) fn conditions(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(relation, version)| format!("{} {version}", relation.as_str()))
    }

    /// What a `Gemfile.lock` says behind a gem's name: nothing, or ` (>= 1, < 2)`.
    #[must_use]
    pub(super) fn locked(&self) -> String {
        if self.is_any() {
            return String::new();
        }
        let mut conditions: Vec<_> = self.conditions().collect();
        conditions.sort_unstable_by(|a, b| b.cmp(a));
        format!(" ({})", conditions.join(", "))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.conditions().collect::<Vec<_>>().join(", "))
    }
}

fn holds(relation: Relation, version: &Version, wanted: &Version) -> bool {
    match relation {
        Relation::Equal => version == wanted,
        Relation::NotEqual => version != wanted,
        Relation::AtLeast => version >= wanted,
        Relation::AtMost => version <= wanted,
        Relation::Above => version > wanted,
        Relation::Below => version < wanted,
        Relation::About => version >= wanted && version.release() < wanted.bump(),
    }
}

/// Whether a text is a sign such as `>=`, and nothing more.
#[must_use]
pub(super) fn is_relation(text: &str) -> bool {
    RELATIONS.iter().any(|(sign, _)| *sign == text)
}

/// Ruby's white space around a text.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn what_a_version_is() {
        for right in ["0", "1.2.3", "1.a", "1.2.pre1.x", "1.0-rc1", "1.0-a-b.c", " 1 ", "20240101120000999999999999"] {
            v(right);
        }
        for wrong in [
            "", "a", ".1", "1.", "1..2", "1_0", "1 2", "-1", "1-", "1.0-a..b", "1--a", "1-a-", "v1", "1.0+x", "١",
            "1\u{a0}",
        ] {
            assert!(Version::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(v("1.0-rc1").as_str(), "1.0.pre.rc1");
    }

    /// In the order of RubyGems' own tests and documentation.
    #[test]
    fn the_order_of_versions() {
        let ascending = [
            "0.a",
            "0",
            "0.0.1",
            "0.9",
            "1.A",
            "1.a",
            "1.a.1",
            "1.a.1.2",
            "1.a.2",
            "1.b",
            "1.0.pre.rc1",
            "1",
            "1.0.1.a",
            "1.0.1",
            "1.8.1",
            "1.8.2.a",
            "1.8.2.a9",
            "1.8.2.a10",
            "1.8.2",
            "1.9",
            "1.10",
            "2",
            "10",
            "99999999999999999999",
        ];
        for (i, low) in ascending.iter().enumerate() {
            assert_eq!(v(low), v(low));
            for high in &ascending[i + 1..] {
                assert!(v(low) < v(high) && v(high) > v(low), "{low} {high}");
            }
        }
        for (a, b) in
            [("1", "1.0"), ("1.0.0", "1"), ("1.a", "1.0.a"), ("1.a.0", "1.a"), ("01", "1"), ("1.0-x", "1.pre.x")]
        {
            assert_eq!(v(a), v(b));
        }
    }

    #[test]
    fn requirements() {
        let met = |conditions: &str, version: &str| {
            Requirement::parse(conditions.split(", ")).unwrap().is_met_by(&v(version))
        };
        for (conditions, right, wrong) in [
            ("1.2", "1.2.0", "1.2.1"),
            ("= 1.2", "1.2", "1.3"),
            ("!= 1.2", "1.3", "1.2.0"),
            (">= 1.2", "1.2", "1.2.a"),
            ("> 1.2", "1.2.1", "1.2"),
            ("<= 1.2", "1.2.a", "1.2.1"),
            ("< 1.2", "1.2.a", "1.2"),
            ("~> 1.2", "1.99", "2.0"),
            ("~> 1.2", "1.2", "1.1.9"),
            ("~> 1.2.3", "1.2.10", "1.3"),
            ("~> 1", "1.9", "2"),
            ("~> 1.9", "1.10", "2.0.a"),
            ("~> 1.2.a", "1.2", "2"),
            ("~> 0.0.28", "0.0.99", "0.1"),
            ("~> 9", "9.99", "10"),
            ("~> 1.99.3", "1.99.4", "1.100"),
            (">= 1.60, <= 2.99", "2.1.16", "3"),
            (">= 1.60, <= 2.99", "1.60", "1.59"),
        ] {
            assert!(met(conditions, right), "{conditions} {right}");
            assert!(!met(conditions, wrong), "{conditions} {wrong}");
        }
        assert!(met(">= 0", "0.a"), "who asks for nothing takes a prerelease");
        assert!(!met(">= 0, != 1", "0.a"));
        for wrong in ["", "~>", "=> 1", "~ 1", "== 1", ">= 1,", "> = 1", "latest"] {
            assert!(Requirement::parse([wrong]).is_none(), "{wrong}");
        }
    }

    #[test]
    fn how_a_lock_writes_requirements() {
        let locked = |conditions: &[&str]| Requirement::parse(conditions.iter().copied()).unwrap().locked();
        assert_eq!(locked(&[]), "");
        assert_eq!(locked(&[">= 0.0"]), "");
        assert_eq!(locked(&["1.0"]), " (= 1.0)");
        assert_eq!(locked(&["<=2.99", ">= 1.60"]), " (>= 1.60, <= 2.99)");
        assert_eq!(locked(&["~> 1", ">= 1.14.1"]), " (~> 1, >= 1.14.1)");
    }

    proptest! {
        #[test]
        fn any_text_is_a_version_or_not(text in "[0-9a-cA. -]{0,12}") {
            if let Some(version) = Version::parse(&text) {
                prop_assert_eq!(&Version::parse(version.as_str()).unwrap(), &version);
                prop_assert!(version.release() >= version);
                prop_assert!(version.bump() > version.release());
                prop_assert!(!version.bump().as_str().contains(|c: char| c.is_ascii_alphabetic()));
            }
        }

        #[test]
        fn versions_have_one_order(texts in proptest::collection::vec("[0-9]{1,2}(\\.[0-9a-b]{1,2}){0,3}", 3)) {
            let versions: Vec<_> = texts.iter().map(|text| v(text)).collect();
            let (a, b, c) = (&versions[0], &versions[1], &versions[2]);
            prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
            prop_assert!(!(a <= b && b <= c) || a <= c);
            let is = |condition: &str| Requirement::parse([condition]).unwrap().is_met_by(a);
            prop_assert_eq!(is(&format!("= {b}")), a == b);
            prop_assert_eq!(is(&format!("!= {b}")), a != b);
            prop_assert_eq!(is(&format!("< {b}")), a < b);
            let is_about = is(&format!("~> {b}"));
            prop_assert!(!is_about || (a >= b && a < &b.bump()));
        }

        #[test]
        fn successors(number in 0_u64..u64::MAX) {
            prop_assert_eq!(Number::new(&number.to_string()).successor().0, (u128::from(number) + 1).to_string());
        }
    }
}
