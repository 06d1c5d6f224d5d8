//! What a registry asks for when it says 401: the header `WWW-Authenticate`.

use std::collections::BTreeMap;

/// One way to show who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In lower case: `bearer`, `basic`.
    pub(super) scheme: String,
    /// By lower-case name.
    pub(super) parameters: BTreeMap<String, String>,
}

/// Reads all ways out of one header, of which there may be several. What cannot be read is left out.
pub(super) fn read(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = rest.split_at(rest.find(|c| !is_token(c)).unwrap_or(rest.len()));
        if word.is_empty() {
            // Nothing that the grammar knows begins here: go on behind the next comma.
            match rest.split_once(',') {
                Some((_, behind)) => rest = behind,
                None => return challenges,
            }
            continue;
        }
        let value = after.trim_start_matches([' ', '\t']).strip_prefix('=');
        rest = match (value, challenges.last_mut()) {
            (Some(value), Some(challenge)) => {
                let (text, behind) = parameter(value.trim_start_matches([' ', '\t']));
                challenge.parameters.entry(word.to_ascii_lowercase()).or_insert(text);
                behind
            }
            (Some(value), None) => value,
            (None, _) => {
                challenges.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: BTreeMap::new() });
                after
            }
        };
    }
}

/// A value, quoted or not, and what comes after it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len()));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    (value, chars.as_str())
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(header: &str) -> Vec<String> {
        let parameter = |(name, value): (&String, &String)| format!("{name}={value}");
        let words = |one: &Challenge| {
            let parameters = one.parameters.iter().map(parameter);
            std::iter::once(one.scheme.clone()).chain(parameters).collect::<Vec<_>>().join(" ")
        };
        read(header).iter().map(words).collect()
    }

    #[test]
    fn challenges_are_read() {
        for (header, expected) in [
            ("", &[][..]),
            ("Basic", &["basic"]),
            (r#"Basic realm="a \"b\", c""#, &[r#"basic realm=a "b", c"#]),
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
                &[
                    "bearer realm=https://auth.docker.io/token scope=repository:a/b:pull,push service=registry.docker.io",
                ],
            ),
            (
                r#"Negotiate, Bearer realm=x , Scope="y",Basic Realm = "z", charset=UTF-8"#,
                &["negotiate", "bearer realm=x scope=y", "basic charset=UTF-8 realm=z"],
            ),
            ("Negotiate YII==, Basic realm=\"x\"", &["negotiate yii==", "basic realm=x"]),
            (r#"Bearer realm="open"#, &["bearer realm=open"]),
            ("=,=", &[]),
        ] {
            assert_eq!(told(header), expected, "{header}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_panics_and_every_text_ends(header in "[A-Za-z=, \"\\\\ä\t@/]{0,60}") {
            let _ = read(&header);
        }

        #[test]
        fn any_quoted_value_comes_back(value: String) {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{quoted}\", x=y");
            prop_assert_eq!(&read(&header)[0].parameters["realm"], &value);
        }
    }
}
