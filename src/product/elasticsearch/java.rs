//! Versions of Java, as Elasticsearch compares them.

use std::str::FromStr;

/// A version of Java without what stands behind a `-`: the Java that runs never has that part, and counts as newer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JavaVersion(Vec<u32>);

impl JavaVersion {
    /// What the `release` file of a JDK says, without builds: `1.8.0_402` is 8, as far as anybody asks.
    pub(super) fn of_jdk(release: &str) -> Option<Self> {
        let value = release.lines().find_map(|line| line.trim().strip_prefix("JAVA_VERSION="))?;
        value.trim_matches('"').split(['-', '+', '_']).next()?.parse().ok()
    }
}

impl FromStr for JavaVersion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (numbers, rest) = text.split_once('-').map_or((text, None), |(numbers, rest)| (numbers, Some(rest)));
        if rest.is_some_and(|rest| rest.is_empty() || !rest.bytes().all(|c| c.is_ascii_alphanumeric())) {
            return Err(());
        }
        let number = |part: &str| part.parse().ok().filter(|_| part.bytes().all(|c| c.is_ascii_digit()));
        let mut numbers: Vec<u32> = numbers.split('.').map(number).collect::<Option<_>>().ok_or(())?;
        if numbers.starts_with(&[1, 8]) {
            numbers.remove(0);
        }
        // 17.0 is 17.
        while numbers.len() > 1 && numbers.last() == Some(&0) {
            numbers.pop();
        }
        Ok(Self(numbers))
    }
}

impl std::fmt::Display for JavaVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> JavaVersion {
        text.parse().unwrap()
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(version("9") < version("11") && version("17") < version("17.0.1") && version("1.8") < version("9"));
        assert_eq!(version("1.8"), version("8"));
        assert_eq!(version("17"), version("17.0.0"));
        assert_eq!(version("021"), version("21-ea"));
        for wrong in ["", "x", "1.", ".1", "17-", "17-é", "17-a-b", "+17", "99999999999", "17 "] {
            assert!(wrong.parse::<JavaVersion>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_jdk_says_what_it_is() {
        let of = |text: &str| JavaVersion::of_jdk(text).map(|version| version.to_string());
        assert_eq!(of("IMPLEMENTOR=\"Oracle\"\nJAVA_VERSION=\"21.0.2\"\n").as_deref(), Some("21.0.2"));
        assert_eq!(of("JAVA_VERSION=\"17.0.15+6\"").as_deref(), Some("17.0.15"));
        assert_eq!(of("JAVA_VERSION=\"1.8.0_402\"").as_deref(), Some("8"));
        assert_eq!(of("JAVA_VERSION=\"24-ea\"\r\n").as_deref(), Some("24"));
        assert_eq!(of("JAVA_VERSION_DATE=\"2024-01-16\"\n"), None);
        assert_eq!(of("JAVA_VERSION=\"\""), None);
    }
}
