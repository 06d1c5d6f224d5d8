//! `kibana.json`, as Kibana reads it.

use serde_json::Value;

use crate::name::ImagePath;
use crate::product::plugin::InstallError;

/// Major, minor and patch.
pub(super) type Triple = (u64, u64, u64);

/// Kibana does not start with a plugin whose owner it does not know. Before 8.0 nobody had to say who that is.
const OWNER_SINCE: Triple = (8, 0, 0);

/// What of it counts here.
pub(super) struct Manifest {
    pub(super) id: String,
    pub(super) version: String,
    kibana_version: Option<String>,
    owner: bool,
    does_something: bool,
}

impl Manifest {
    pub(super) fn parse(file: &ImagePath, bytes: &[u8]) -> Result<Self, InstallError> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| {
            InstallError::rule(file, format!("this is no JSON: {error}"), "correct it; comments are not allowed there")
        })?;
        let text = |key: &str| json[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let id = text("id").filter(|id| is_id(id)).ok_or_else(|| {
            let show = |id: &Value| format!("the `id` is {}", id.to_string().chars().take(80).collect::<String>());
            let said = json.get("id").map_or_else(|| "there is no `id`".to_owned(), show);
            let help =
                "it begins with a lower-case letter and goes on with at least one letter or digit, as in `myPlugin`";
            InstallError::rule(file, said, help)
        })?;
        let version = text("version").ok_or_else(|| {
            InstallError::rule(file, "there is no `version`", "say the version of the plugin, which is a text")
        })?;
        Ok(Self {
            id,
            version,
            kibana_version: text("kibanaVersion"),
            owner: json["owner"]["name"].as_str().is_some_and(|name| !name.is_empty()),
            does_something: json["server"] == true || json["ui"] == true,
        })
    }

    /// Whether a Kibana of this version takes it.
    pub(super) fn check(&self, file: &ImagePath, kibana: Triple) -> Result<(), InstallError> {
        let (key, said) = match &self.kibana_version {
            Some(version) => ("kibanaVersion", version),
            None => ("version", &self.version),
        };
        if triple(said) != Some(kibana) {
            let message = format!("the plugin is for Kibana {said}, and the image has {}", dotted(kibana));
            let help = format!("take the plugin that was built for {}; `{key}` has to say so", dotted(kibana));
            return Err(InstallError::rule(file, message, help));
        }
        if !self.does_something {
            let help = "set the one that the plugin has to `true`, or Kibana does not start";
            return Err(InstallError::rule(file, "neither `server` nor `ui` is true", help));
        }
        if !self.owner && kibana >= OWNER_SINCE {
            let help = "say who made it, as in `\"owner\": { \"name\": \"House\" }`, or Kibana does not start";
            return Err(InstallError::rule(file, "there is no `owner.name`", help));
        }
        Ok(())
    }
}

/// `^[a-z][a-zA-Z0-9]+$`, as Kibana has it.
fn is_id(text: &str) -> bool {
    let mut bytes = text.bytes();
    // No name in a file system is longer.
    (2..=255).contains(&text.len())
        && bytes.next().is_some_and(|c| c.is_ascii_lowercase())
        && bytes.all(|c| c.is_ascii_alphanumeric())
}

/// The first three numbers with dots between them in a text, which is what Kibana compares.
pub(super) fn triple(text: &str) -> Option<Triple> {
    let starts = text.char_indices().filter(|(i, c)| c.is_ascii_digit() && !ends_in_digit(&text[..*i]));
    starts.map(|(i, _)| &text[i..]).find_map(|rest| {
        let mut parts = rest.splitn(3, '.');
        let (major, minor, patch) = (parts.next()?, parts.next()?, parts.next()?);
        let patch = &patch[..patch.find(|c: char| !c.is_ascii_digit()).unwrap_or(patch.len())];
        let number = |text: &str| text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok())?;
        Some((number(major)?, number(minor)?, number(patch)?))
    })
}

/// As people write it.
pub(super) fn dotted((major, minor, patch): Triple) -> String {
    format!("{major}.{minor}.{patch}")
}

fn ends_in_digit(text: &str) -> bool {
    text.bytes().next_back().is_some_and(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_three_numbers_count() {
        for (text, numbers) in [
            ("8.19.3", Some((8, 19, 3))),
            ("8.19.3-SNAPSHOT", Some((8, 19, 3))),
            ("v8.19.3.1", Some((8, 19, 3))),
            ("1.2 8.19.3", Some((8, 19, 3))),
            ("8.19", None),
            ("8.19.", None),
            ("8..3", None),
            ("kibana", None),
            ("", None),
            ("99999999999999999999.1.1", None),
        ] {
            assert_eq!(triple(text), numbers, "{text}");
        }
    }

    #[test]
    fn ids() {
        for right in ["ab", "myPlugin2"] {
            assert!(is_id(right), "{right}");
        }
        for wrong in ["", "a", "My", "my-plugin", "my.plugin", "2a", "mä", "../x", &"a".repeat(256)] {
            assert!(!is_id(wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[0-9.vä-]{0,20}") {
            let file = "/kibana/x/kibana.json".parse().unwrap();
            if let Ok(manifest) = Manifest::parse(&file, &bytes) {
                prop_assert!(is_id(&manifest.id));
            }
            triple(&text);
        }

        #[test]
        fn a_version_is_found_among_other_text(
            (numbers, before, after) in (any::<Triple>(), "([^0-9]|[0-9]{1,3} ){0,5}", "[^0-9]?\\PC{0,5}"),
        ) {
            let behind = after.trim_start_matches(|c: char| c.is_ascii_digit());
            prop_assert_eq!(triple(&format!("{before}{}{behind}", dotted(numbers))), Some(numbers));
        }
    }
}
