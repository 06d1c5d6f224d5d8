//! Variables in configuration files, as in `${NAME}` and `${NAME:default}`.

use crate::recipe::{ImageRecipe, Product};

/// The first Elasticsearch that puts variables into its file as text, before it reads that, and into nothing else.
const AS_TEXT: (u64, u64, u64) = (8, 2, 0);

/// A variable in a text.
pub(super) struct Variable<'t> {
    pub(super) name: &'t str,
    /// What stands behind its colon.
    pub(super) default: Option<&'t str>,
    /// Where it stands.
    range: std::ops::Range<usize>,
}

/// The variables of a text, in its order. What has a dot in its name is no variable but another setting.
pub(super) fn variables(text: &str) -> Vec<Variable<'_>> {
    let starts = text.match_indices("${").filter_map(|(at, _)| {
        let inner = &text[at + 2..at + 2 + text[at + 2..].find('}')?];
        let (name, default) = inner.split_once(':').map_or((inner, None), |(name, default)| (name, Some(default)));
        let range = at..at + 2 + inner.len() + 1;
        let plain = !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        plain.then_some(Variable { name, default, range })
    });
    starts.collect()
}

/// A value with what the recipe sets its variables to.
pub(super) fn resolve(value: &str, image: &ImageRecipe) -> String {
    let mut resolved = String::new();
    let mut end = 0;
    for variable in variables(value) {
        let set = image.config.as_ref().and_then(|config| config.env.get(variable.name)).map(String::as_str);
        // A task definition may set it, too, and so nothing is known of one without a default.
        let known = if takes_default_always(image) { variable.default.or(set) } else { set.or(variable.default) };
        if let Some(known) = known {
            resolved.push_str(&value[end..variable.range.start]);
            resolved.push_str(known);
            end = variable.range.end;
        }
    }
    resolved + &value[end..]
}

/// Whether the product takes what stands behind a colon whatever the environment says.
pub(super) fn takes_default_always(image: &ImageRecipe) -> bool {
    image.product == Product::Elasticsearch && image.version.triple().is_some_and(|version| version >= AS_TEXT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recipe::{self, Recipe};

    fn resolved(version: &str, value: &str) -> String {
        let text = format!(
            "kind = \"image\"\nproduct = \"elasticsearch\"\nversion = \"{version}\"\nfrom = \"scratch\"\n\
             config.env = {{ A = \"1\", EMPTY = \"\" }}\n"
        );
        let Recipe::Image(image) = recipe::parse("x.toml".as_ref(), &text).unwrap().value else { panic!() };
        resolve(value, &image)
    }

    #[test]
    fn variables_are_what_the_recipe_sets_them_to() {
        for (value, expected) in [
            ("${A}", "1"),
            ("x-${A}-${EMPTY}-${B}.", "x-1--${B}."),
            ("${B:2}", "2"),
            ("${node.name}${A", "${node.name}${A"),
            ("", ""),
            ("${}${:x}$A", "${}${:x}$A"),
        ] {
            assert_eq!(resolved("8.19.3", value), expected, "{value}");
            assert_eq!(resolved("8.1.3", value), expected, "{value}");
        }
        assert_eq!((resolved("8.19.3", "${A:2}").as_str(), resolved("8.1.3", "${A:2}").as_str()), ("2", "1"));
    }

    proptest! {
        #[test]
        fn any_text_has_variables_or_none(text in "[${}:Aä._]{0,20}") {
            for variable in variables(&text) {
                let found = text[variable.range].starts_with("${");
                prop_assert!(found);
            }
            resolved("8.19.3", &text);
        }
    }
}
