//! Maven coordinates, and where a repository keeps what they name.

use super::fault::Fault;
use crate::recipe::Url;

/// The place of `GROUP:ARTIFACT:VERSION`, perhaps with `:CLASSIFIER` and `@EXTENSION` behind, in a repository.
pub(super) fn locate(repository: &Url, coordinates: &str, extension: &str) -> Result<Url, Fault> {
    let fail = |message: &str| Fault::wrong(&format!("maven:{coordinates}"), message);
    let (coordinates_only, extension) = coordinates.split_once('@').unwrap_or((coordinates, extension));
    let parts: Vec<_> = coordinates_only.split(':').collect();
    let (group, artifact, version, classifier) = match parts[..] {
        [group, artifact, version] => (group, artifact, version, None),
        [group, artifact, version, classifier] => (group, artifact, version, Some(classifier)),
        _ => return Err(fail("coordinates are `GROUP:ARTIFACT:VERSION`")),
    };
    let words = [group, artifact, version, extension].into_iter().chain(classifier);
    if !words.clone().all(is_word) {
        return Err(fail("each part is made of letters, digits, `-`, `_`, `+` and single `.`"));
    }
    let classifier = classifier.map_or_else(String::new, |classifier| format!("-{classifier}"));
    let base = repository.as_str().trim_end_matches('/');
    let folder = format!("{}/{artifact}/{version}", group.replace('.', "/"));
    let url = format!("{base}/{folder}/{artifact}-{version}{classifier}.{extension}");
    url.parse().map_err(|_| fail("they make no URL with the repository of the project"))
}

fn is_word(part: &str) -> bool {
    let plain = |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_+".contains(&c));
    part.split('.').all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_name_a_place() {
        let repository: Url = "https://repo.example/maven2/".parse().unwrap();
        let place = |coordinates: &str| locate(&repository, coordinates, "zip").unwrap().to_string();
        assert_eq!(
            place("org.opensearch.plugin:analysis-icu:2.1.0"),
            "https://repo.example/maven2/org/opensearch/plugin/analysis-icu/2.1.0/analysis-icu-2.1.0.zip"
        );
        assert_eq!(place("g:a:1:linux@tar.gz"), "https://repo.example/maven2/g/a/1/a-1-linux.tar.gz");
        for wrong in ["", "a", "a:b", "a:b:c:d:e", "a:..:c", "a:b:../c", "a::c", "a:b/c:1", "a:b:1@", "a.:b:1"] {
            assert!(locate(&repository, wrong, "zip").is_err(), "{wrong}");
        }
    }
}
