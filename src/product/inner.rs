//! Pairs inside of longer values: options of Java among others, the parameters of a connection string or of a URL.

/// The pairs `NAME=VALUE` of a value, without what is around them. A value that is one such pair as a whole is none inside.
pub(super) fn pairs(value: &str) -> Vec<(&str, &str)> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '?' | '&' | ';' | ',' | '"' | '\'');
    let pair = |piece: &'_ str| -> Option<(usize, usize)> {
        let equals = piece.find('=')?;
        let name = piece[..equals].trim_start_matches(['-', '(', '{', '[']);
        let word = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
        (!name.is_empty() && name.bytes().all(word)).then_some((equals - name.len(), equals))
    };
    let pieces = value.split(ends).filter_map(|piece| {
        let (start, equals) = pair(piece)?;
        // Patterns and masks say how secrets look, and are none.
        let inner = &piece[equals + 1..];
        let plain = !inner.contains(['\\', '*', '(', '[', '^']);
        plain.then_some((&piece[start..equals], inner))
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_found_between_everything_else() {
        assert_eq!(
            pairs("-Xms1g -Djavax.net.ssl.keyStorePassword=abc -Da=b"),
            [("Djavax.net.ssl.keyStorePassword", "abc"), ("Da", "b")]
        );
        assert_eq!(pairs("jdbc:pg://h/db?user=a&password=b"), [("user", "a"), ("password", "b")]);
        assert_eq!(pairs("Server=a;Pwd=b c;"), [("Server", "a"), ("Pwd", "b")]);
        assert_eq!(pairs("sh -c 'login --password=\"\" --x=y'"), [("password", ""), ("x", "y")]);
        for none in ["", "a b", "=x", "a == b", "password=\\S+", "password=[FILTERED]", "password=***", "$a=b"] {
            let found: Vec<_> = pairs(none).into_iter().filter(|(_, value)| !value.starts_with('=')).collect();
            assert_eq!(found, [], "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_pairs_or_none(text in "[a=&; \"'ä\\\\-]{0,30}") {
            let found = pairs(&text);
            prop_assert!(found.iter().all(|(name, _)| !name.is_empty()));
        }
    }
}
