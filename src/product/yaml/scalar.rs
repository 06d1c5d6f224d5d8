//! Quoted texts, and where plain ones end.

use super::node::{YamlError, wrong};

/// A quoted text at the beginning of `rest`: what it says, and how many bytes it takes.
pub(super) fn quoted(rest: &str, line: usize) -> Result<(String, usize), YamlError> {
    let double = rest.starts_with('"');
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' if double => return Ok((text, i + 1)),
            '\'' if !double => {
                if chars.next_if(|(_, c)| *c == '\'').is_none() {
                    return Ok((text, i + 1));
                }
                text.push('\'');
            }
            '\\' if double => {
                let (i, c) = chars.next().unwrap_or((rest.len(), ' '));
                let digits = match c {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                if digits > 0 {
                    let code = rest.get(i + 1..i + 1 + digits).unwrap_or_default();
                    let plain = code.bytes().all(|c| c.is_ascii_hexdigit());
                    let code = u32::from_str_radix(code, 16).ok().filter(|_| plain);
                    // Half a character can follow its other half; what they are together does not matter here.
                    text.push(match code {
                        Some(code) => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
                        None => return wrong(line, format!("`\\{c}` in quotes is followed by {digits} hex digits")),
                    });
                    chars.nth(digits - 1);
                } else if matches!(c, '\n' | '\r') {
                    // The line goes on in the next one, with nothing between.
                    while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
                } else {
                    match escape(c) {
                        Some(c) => text.push(c),
                        None => return wrong(line, format!("`\\{c}` in quotes stands for nothing")),
                    }
                }
            }
            '\n' => fold(&mut text, &mut chars),
            c => text.push(c),
        }
    }
    wrong(line, "the quotes that are opened here are never closed")
}

/// A line end inside quotes is a space, and white space around it does not count; blank lines are line ends.
fn fold(text: &mut String, chars: &mut std::iter::Peekable<impl Iterator<Item = (usize, char)>>) {
    text.truncate(text.trim_end_matches([' ', '\t', '\r']).len());
    let mut blank = 0;
    while let Some((_, c)) = chars.next_if(|(_, c)| c.is_whitespace()) {
        blank += usize::from(c == '\n');
    }
    if blank == 0 {
        text.push(' ');
    }
    text.extend(std::iter::repeat_n('\n', blank));
}

/// What an escape in double quotes stands for.
fn escape(c: char) -> Option<char> {
    Some(match c {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        ' ' | '"' | '/' | '\\' => c,
        _ => return None,
    })
}

/// The part of a line before its comment.
pub(super) fn uncommented(line: &str) -> &str {
    let comment = line.match_indices('#').map(|(i, _)| i).find(|i| *i == 0 || line[..*i].ends_with([' ', '\t']));
    line[..comment.unwrap_or(line.len())].trim_end()
}

/// Where the colon stands that ends a key.
pub(super) fn colon(line: &str) -> Option<usize> {
    let ends = |i: &usize| line[i + 1..].is_empty() || line[i + 1..].starts_with([' ', '\t']);
    line.match_indices(':').map(|(i, _)| i).find(ends)
}
