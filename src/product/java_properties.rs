//! Java's `.properties` files, as `java.util.Properties.load` reads them.
//!
//! Bytes are ISO-8859-1 there, whatever an editor thought; a line that ends in a backslash goes on in the next one; the
//! first `=`, `:` or white space ends a key. Stricter in one thing: of a key that is said twice Java silently takes the
//! last, and here that is a mistake.

use std::collections::BTreeMap;

/// What a key is set to, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// What stands behind the key, with its escapes resolved.
    pub value: String,
    /// The line that the key stands on, from 1.
    pub line: usize,
}

/// What is wrong with a file, and on which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct PropertiesError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// Whether a key is said twice, which Java itself would not mind.
    pub twice: bool,
}

/// Reads a file.
///
/// # Errors
/// A key that is said twice, and an escape that stands for no character.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, Property>, PropertiesError> {
    // In ISO-8859-1 every byte is the character of that number.
    let text: String = bytes.iter().copied().map(char::from).collect();
    let mut properties: BTreeMap<String, Property> = BTreeMap::new();
    for (line, logical) in logical_lines(&text) {
        let (key, value) = split(&logical);
        let wrong = |message| PropertiesError { line, message, twice: false };
        let key = unescape(key).map_err(wrong)?;
        let value = unescape(value).map_err(wrong)?;
        if let Some(first) = properties.get(&key) {
            let message = format!("`{key}` is said a second time, after line {}", first.line);
            return Err(PropertiesError { line, message, twice: true });
        }
        properties.insert(key, Property { value, line });
    }
    Ok(properties)
}

const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

/// Lines with those that they go on with, without comments and blank ones.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let mut first = 1;
    let mut logical = String::new();
    // Whether the line before goes on in this one.
    let mut open = false;
    for (i, line) in natural_lines(text).enumerate() {
        let line = line.trim_start_matches(BLANK);
        if logical.is_empty() {
            // A comment goes on nowhere; and a line that is nothing but a backslash joins nothing to the next.
            if line.is_empty() || line.starts_with(['#', '!']) {
                open = false;
                continue;
            }
            first = i + 1;
        }
        open = goes_on(line);
        logical.push_str(&line[..line.len() - usize::from(open)]);
        if !open && !logical.is_empty() {
            all.push((first, std::mem::take(&mut logical)));
        }
    }
    if open && !logical.is_empty() {
        all.push((first, logical));
    }
    all
}

/// Lines as Java counts them: they end in `\n`, `\r` or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else { return rest.take() };
        let after = if text[end..].starts_with("\r\n") { end + 2 } else { end + 1 };
        rest = Some(&text[after..]);
        Some(&text[..end])
    })
}

/// Whether a line ends in an odd number of backslashes, the last of which is no escaped one.
fn goes_on(line: &str) -> bool {
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

/// Key and value, still escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (BLANK.contains(&c) || c == '=' || c == ':');
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else { return (line, "") };
    let rest = line[end..].trim_start_matches(BLANK);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..end], rest.trim_start_matches(BLANK))
}

fn unescape(text: &str) -> Result<String, String> {
    // In UTF-16, because an escape is half a character where a character has more than 16 bits.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let plain = digits.len() == 4 && digits.bytes().all(|c| c.is_ascii_hexdigit());
                    let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| plain);
                    units.push(
                        unit.ok_or_else(|| format!("`\\u{digits}` is no character: four hex digits follow `\\u`"))?,
                    );
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(c) => c,
                None => break,
            },
            c => c,
        };
        units.extend(c.encode_utf16(&mut [0; 2]).iter());
    }
    String::from_utf16(&units).map_err(|_| "a `\\u` escape is only half of a character".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flat(text: &str) -> Vec<String> {
        let all = read(text.as_bytes()).unwrap();
        all.into_iter().map(|(key, Property { value, line })| format!("{line}:{key}={value}")).collect()
    }

    #[test]
    fn keys_end_at_the_first_separator() {
        assert_eq!(
            flat("a=1\nb : 2\n c\t3\nd\ne==5\nf:=6\ng   =   7 \n"),
            ["1:a=1", "2:b=2", "3:c=3", "4:d=", "5:e==5", "6:f==6", "7:g=7 "]
        );
        assert_eq!(flat("a\\ b\\:c\\=d = e"), ["1:a b:c=d=e"]);
        assert_eq!(flat("=x"), ["1:=x"]);
    }

    #[test]
    fn comments_and_blank_lines_say_nothing() {
        assert_eq!(flat("# a=1\n ! b=2\\\nc=3\n\n \t\n#\n"), ["3:c=3"]);
        assert_eq!(flat(""), [""; 0]);
    }

    #[test]
    fn a_line_goes_on_after_an_odd_number_of_backslashes() {
        assert_eq!(flat("a=1,\\\n   2,\\\r\n\t3\r\rb=c\\\\\nd=e"), ["1:a=1,2,3", "5:b=c\\", "6:d=e"]);
        assert_eq!(flat("a=1\\\n\nb=2"), ["1:a=1", "3:b=2"]);
        assert_eq!(flat("a=1\\\n# no comment"), ["1:a=1# no comment"]);
        assert_eq!(flat("a=1\\"), ["1:a=1"]);
        assert_eq!(flat("\\\n\nb=2"), ["3:b=2"]);
        assert_eq!(flat("\\\n# comment\nb=2\n\\"), ["3:b=2"]);
    }

    #[test]
    fn escapes_stand_for_characters() {
        assert_eq!(flat("a=\\t\\n\\r\\f\\q\\\\\\u00e4\\uD83D\\uDE00"), ["1:a=\t\n\r\u{c}q\\\u{e4}\u{1f600}"]);
        for wrong in ["a=\\u12", "a=\\u12x4", "a=\\u+123", "a=\\uD83D"] {
            assert_eq!(read(format!("\n{wrong}").as_bytes()).unwrap_err().line, 2, "{wrong}");
        }
    }

    #[test]
    fn bytes_are_latin_1() {
        assert_eq!(read(b"a=\xe4").unwrap()["a"].value, "\u{e4}");
        assert_eq!(read("a=\u{e4}".as_bytes()).unwrap()["a"].value, "\u{c3}\u{a4}");
    }

    #[test]
    fn a_key_is_said_once() {
        let error = read(b"a=1\nb=2\n\\u0061=3").unwrap_err();
        assert_eq!(error.to_string(), "line 3: `a` is said a second time, after line 1");
    }

    /// As `java.util.Properties.store` writes.
    fn stored(text: &str, key: bool) -> String {
        let mut out = String::new();
        for (i, unit) in text.encode_utf16().enumerate() {
            match u8::try_from(unit).map(char::from) {
                Ok(' ') if i == 0 || key => out.push_str("\\ "),
                Ok('\t') => out.push_str("\\t"),
                Ok('\n') => out.push_str("\\n"),
                Ok('\r') => out.push_str("\\r"),
                Ok('\u{c}') => out.push_str("\\f"),
                Ok(c @ ('=' | ':' | '#' | '!' | '\\')) => out.extend(['\\', c]),
                Ok(c @ ' '..='~') => out.push(c),
                _ => out.push_str(&format!("\\u{unit:04X}")),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn what_java_stores_reads_back(pairs in proptest::collection::btree_map("\\PC{1,8}|[ =:#!\\\\\t\n]{1,4}", any::<String>(), 0..6)) {
            let text: String = pairs.iter().map(|(key, value)| format!("{}={}\n", stored(key, true), stored(value, false))).collect();
            let read = read(text.as_bytes()).unwrap();
            let read: BTreeMap<_, _> = read.into_iter().map(|(key, property)| (key, property.value)).collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop_oneof![any::<Vec<u8>>(), "[a=: \\\\u0d8\n\r#]{0,40}".prop_map(String::into_bytes)]) {
            let lines = 1 + bytes.iter().filter(|c| matches!(c, b'\n' | b'\r')).count();
            match read(&bytes) {
                Ok(all) => prop_assert!(all.values().all(|property| (1..=lines).contains(&property.line))),
                Err(error) => prop_assert!((1..=lines).contains(&error.line)),
            }
        }
    }
}
