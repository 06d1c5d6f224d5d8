//! How deep a text goes, told from its tokens before anything is built from them.
//!
//! The TOML parser limits brackets and dotted keys to 80 levels each, but both together make 6,400, and what
//! is built recursively is dropped recursively: such a text of 13 KB would overflow the stack.

/// No recipe goes deeper than a handful; what Docker's `daemon.json` nests is no deeper.
pub(super) const DEEPEST: usize = 64;

/// The byte at which a text goes deeper than [`DEEPEST`].
///
/// Counts what the parser could nest at most: a bracket is only closed by its own kind, and the dots of a key
/// count for all that stands inside its value.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open: Vec<(u8, usize)> = Vec::new();
    let (mut outer, mut dots, mut at) = (0, 0, 0);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'#' => at += until(&bytes[at..], |c| matches!(c, b'\r' | b'\n')),
            b'\'' | b'"' => at = string_end(text, start, byte),
            b'[' | b'{' => {
                open.push((byte, dots));
                outer += dots + 1;
                dots = 0;
            }
            b']' | b'}' => {
                let opener = if byte == b']' { b'[' } else { b'{' };
                if let Some((_, before)) = open.pop_if(|(top, _)| *top == opener) {
                    outer -= before + 1;
                    dots = 0;
                }
            }
            b'.' => dots += 1,
            b',' | b'\r' | b'\n' => dots = 0,
            b'=' | b' ' | b'\t' => {}
            _ => at += until(&bytes[at..], |c| b".=,[]{} \t#\r\n".contains(&c)),
        }
        if outer + dots > DEEPEST {
            return Some(start);
        }
    }
    None
}

fn until(bytes: &[u8], stop: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&c| stop(c)).unwrap_or(bytes.len())
}

/// Where the string that opens at `start` ends, as the parser's lexer sees it: a string of one line ends with
/// the line at the latest.
fn string_end(text: &str, start: usize, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let delimiter = [quote; 3];
    let is_long = bytes[start..].starts_with(&delimiter);
    let mut at = start + if is_long { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        if byte == b'\\' && quote == b'"' {
            at += if matches!(bytes.get(at + 1), Some(b'\\' | b'"')) { 2 } else { 1 };
        } else if is_long && bytes[at..].starts_with(&delimiter) {
            // Up to two more quotes are the string's own last characters.
            return at + 3 + bytes[at + 3..].iter().take(2).take_while(|&&c| c == quote).count();
        } else if !is_long && byte == quote {
            return at + 1;
        } else if !is_long && byte == b'\n' {
            return at;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::{DeTable, DeValue};

    use super::*;

    #[test]
    fn what_people_write_is_not_deep() {
        for text in [
            "a.b.c = { d = [1, 2.5, \"x.y.z\"] } # ................................................................",
            &format!("a = \"{}\"\n", "[".repeat(100)),
            &format!("a = '''{}'''\n", "{.".repeat(100)),
            &format!("a = \"\"\"{}\\\"\"\"\"\"\"\n", "[".repeat(100)),
            &"a.b = [{ c = 1 }]\n".repeat(1000),
        ] {
            assert_eq!(too_deep(text), None, "{text}");
        }
    }

    #[test]
    fn brackets_and_dots_add_up() {
        let level = format!("{} = {{ ", ["a"; 20].join("."));
        assert_eq!(too_deep(&level.repeat(3)), None);
        assert!(too_deep(&level.repeat(4)).is_some());
        assert!(too_deep(&"[".repeat(1_000_000)).is_some());
        // A closing bracket of another kind closes nothing.
        assert!(too_deep(&"a = { ] ".repeat(100)).is_some());
    }

    fn deepest(root: &DeTable<'_>) -> usize {
        let mut deepest = 0;
        let mut left: Vec<(&DeValue<'_>, usize)> = root.values().map(|value| (value.get_ref(), 1)).collect();
        while let Some((value, depth)) = left.pop() {
            deepest = deepest.max(depth);
            match value {
                DeValue::Table(table) => left.extend(table.values().map(|value| (value.get_ref(), depth + 1))),
                DeValue::Array(items) => left.extend(items.iter().map(|item| (item.get_ref(), depth + 1))),
                _ => {}
            }
        }
        deepest
    }

    proptest! {
        #[test]
        fn the_parser_never_goes_deeper_than_was_counted(
            tokens in proptest::collection::vec(
                prop::sample::select(vec![
                    "[", "]", "{", "}", "a", "b.c", ".", "=", " = ", ",", "\n", "'", "\"", "\\", "'''", "\"\"\"", "#", "1", "\r", "[[a]]\n",
                    "a = {", "b = [", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a",
                ]),
                0..200,
            )
        ) {
            let text = tokens.concat();
            if too_deep(&text).is_none() {
                // The path of a table's header stands in brackets that close before what it holds.
                let (root, _) = DeTable::parse_recoverable(&text);
                prop_assert!(deepest(root.get_ref()) <= 2 * DEEPEST + 2, "{} levels", deepest(root.get_ref()));
            }
        }
    }
}
