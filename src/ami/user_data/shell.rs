//! Bytes as words and documents of bash.
//!
//! What cloud-init hands on has passed through a mail parser: only printable ASCII, tabs and line feeds come out of that
//! as they went in. So everything else is written with escapes, or as base64 where most of a file is something else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a line of base64 holds: as long as mail has it.
const BASE64_LINE: usize = 76;

/// A text as one word of bash.
pub(super) fn word(text: &str) -> String {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&c);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else if text.bytes().all(|c| c == b' ' || c.is_ascii_graphic()) {
        format!("'{}'", text.replace('\'', r"'\''"))
    } else {
        let escaped = text.bytes().map(|c| match c {
            b'\'' | b'\\' => format!("\\{}", char::from(c)),
            b' '..=b'~' => char::from(c).to_string(),
            _ => format!("\\{c:03o}"),
        });
        format!("$'{}'", escaped.collect::<String>())
    }
}

/// A command with its arguments.
pub(in crate::ami) fn command<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|text| word(text.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Bytes as the end of a command that is to read them: which program makes them from the document that follows, and
/// the document.
pub(in crate::ami) fn document(bytes: &[u8]) -> String {
    let strange = bytes.iter().filter(|&&c| !is_plain(c)).count();
    let (program, text) = if strange == 0 && (bytes.is_empty() || bytes.ends_with(b"\n")) {
        ("cat", String::from_utf8_lossy(bytes).into_owned())
    } else if strange * 8 <= bytes.len() {
        ("plain", escaped(bytes))
    } else {
        ("base64 -d", base64(bytes))
    };
    let end = delimiter(&text);
    format!("{program} <<'{end}'\n{text}{end}\n")
}

fn is_plain(c: u8) -> bool {
    matches!(c, b'\t' | b'\n' | b' '..=b'~')
}

/// For `printf %b`, and with a line feed at the end that is not meant.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for &c in bytes {
        match c {
            b'\\' => text.push_str("\\\\"),
            c if is_plain(c) => text.push(char::from(c)),
            c => text.push_str(&format!("\\0{c:03o}")),
        }
    }
    text.push('\n');
    text
}

fn base64(bytes: &[u8]) -> String {
    let whole = STANDARD.encode(bytes);
    let lines = whole.as_bytes().chunks(BASE64_LINE);
    lines.map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
}

/// A line that the text has not.
fn delimiter(text: &str) -> String {
    let mut end = "-".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('-');
    }
    end
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// What bash prints that is told so.
    fn bash(script: &str) -> Vec<u8> {
        let mut child = Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        child.wait_with_output().unwrap().stdout
    }

    const PLAIN: &str = "plain() { local text; IFS= read -rd '' text; printf %b \"${text%?}\"; }\n";

    fn through(bytes: &[u8]) -> Vec<u8> {
        bash(&format!("{PLAIN}{}", document(bytes)))
    }

    #[test]
    fn documents_hold_what_they_are_given() {
        let cases: [&[u8]; 12] = [
            b"",
            b"\n",
            b"a",
            b"a\n",
            b"a\n\n",
            b"-\n--\n",
            b"$x `y` \\n \\\\ 'q' \"d\"\n",
            b"a\r\nb\r\n",
            b"\0",
            b"text with one \0 NUL in the middle of it",
            b"\xff\xfe\0\x01",
            "Gr\u{fc}\u{df}e aus K\u{f6}ln\n".as_bytes(),
        ];
        for case in cases {
            assert_eq!(through(case), case, "{case:?} as {}", document(case));
        }
        assert!(document(b"-\n--\n").starts_with("cat <<'---'\n"));
        assert!(document(&[0xff; 300]).starts_with("base64 -d <<'-'\n"));
    }

    #[test]
    fn words_are_as_short_as_they_can_be() {
        for (text, expected) in
            [("a-b", "a-b"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("a\n", r"$'a\012'")]
        {
            assert_eq!(word(text), expected);
        }
        assert_eq!(command(["a", "b c"]), "a 'b c'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_bytes_come_through(bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "[ -~\\n-]{0,200}".prop_map(String::into_bytes),
            "[ -~\\n\\r\u{e9}\\\\]{0,200}".prop_map(String::into_bytes),
        ]) {
            let document = document(&bytes);
            prop_assert!(document.bytes().all(is_plain));
            prop_assert_eq!(through(&bytes), bytes);
        }

        #[test]
        fn any_text_is_one_word(text in "[^\0]{0,60}") {
            let word = word(&text);
            prop_assert!(word.bytes().all(|c| (b' '..=b'~').contains(&c)));
            prop_assert_eq!(bash(&format!("printf %s {word}")), text.into_bytes());
        }
    }
}
