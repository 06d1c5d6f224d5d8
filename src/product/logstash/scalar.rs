//! The ways in which YAML writes a text: as it is, in quotes of two kinds, and as a block of two kinds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::lines::{Lines, WHITE, YamlError, is_blank};

/// What begins something else than a plain text.
const INDICATORS: &str = ",[]{}#&*!|>'\"%@`";

/// The key that a line begins with, and what follows its colon; `None` where it begins with a value.
pub(super) fn key(text: &str) -> Result<Option<(String, &str)>, String> {
    let after_colon = |rest: &'_ str| rest.is_empty() || rest.starts_with(' ');
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let mut parts = Quoted::new(quote);
        let Some(rest) = parts.take(&text[1..])? else { return Ok(None) };
        let rest = rest.strip_prefix(':').filter(|rest| after_colon(rest));
        return Ok(rest.map(|rest| (parts.text, rest.trim_start_matches(WHITE))));
    }
    if text == "?" || text.starts_with("? ") {
        return Err("keys that are no texts are not read here".to_owned());
    }
    if text.starts_with(|c| INDICATORS.contains(c)) {
        return Ok(None);
    }
    let colon = text.match_indices(':').find(|(at, _)| after_colon(&text[at + 1..]));
    Ok(colon
        .filter(|(at, _)| *at > 0)
        .map(|(at, _)| (text[..at].trim_end_matches(WHITE).to_owned(), text[at + 1..].trim_start_matches(WHITE))))
}

/// A text without quotes; it goes on in lines that are further to the right than `indent`.
pub(super) fn plain(first: &str, indent: isize, lines: &mut Lines<'_>) -> Result<String, YamlError> {
    let check = |text: &str, line| match () {
        () if text.ends_with(':') || text.contains(": ") => Err(YamlError { line, what: said("`:`") }),
        () if text.starts_with('#') || text.contains(" #") => Err(YamlError { line, what: said("`#`") }),
        () => Ok(()),
    };
    let first = first.trim_end_matches(WHITE);
    let is_sign = |sign: char| first.strip_prefix(sign).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if first.starts_with(|c| INDICATORS.contains(c)) || is_sign('-') || is_sign('?') || is_sign(':') {
        let what = format!("nothing here begins with `{}`", first.chars().take(1).collect::<String>());
        return Err(YamlError { line: lines.number(), what });
    }
    check(first, lines.number())?;
    let mut text = first.to_owned();
    loop {
        let blank = lines.skip_blank();
        let Some((_, line)) = lines.raw().filter(|(column, _)| column.cast_signed() > indent) else { return Ok(text) };
        lines.advance();
        let line = line.trim_matches(WHITE);
        check(line, lines.number())?;
        fold(&mut text, blank);
        text.push_str(line);
    }
}

fn said(sign: &str) -> String {
    format!("a text with {sign} in it needs quotes")
}

/// A break between two lines of a text is a space, and each blank line between them is a break.
fn fold(text: &mut String, blank: usize) {
    match blank {
        0 => text.push(' '),
        _ => text.extend(std::iter::repeat_n('\n', blank)),
    }
}

/// A text in quotes, which `first` begins with; it may go on in the lines after it.
pub(super) fn quoted(first: &str, indent: isize, lines: &mut Lines<'_>) -> Result<String, YamlError> {
    let mut parts = Quoted::new(if first.starts_with('"') { '"' } else { '\'' });
    let mut line = &first[1..];
    loop {
        let at = lines.number();
        match parts.take(line).map_err(|what| YamlError { line: at, what })? {
            Some(rest) if is_blank(rest) => return Ok(parts.text),
            Some(_) => return Err(YamlError { line: at, what: "something follows the closing quote".to_owned() }),
            None => {}
        }
        let blank = lines.skip_blank();
        parts.break_line(blank);
        let Some((_, next)) = lines.raw().filter(|(column, _)| column.cast_signed() > indent) else {
            return Err(YamlError { line: at, what: "the closing quote is missing".to_owned() });
        };
        lines.advance();
        line = next.trim_start_matches(WHITE);
    }
}

/// A text in quotes as it is read, line by line.
struct Quoted {
    quote: char,
    text: String,
    /// The length up to which the text is no white space that a line break would swallow.
    solid: usize,
    /// Whether the line's end was escaped.
    joined: bool,
}

impl Quoted {
    fn new(quote: char) -> Self {
        Self { quote, text: String::new(), solid: 0, joined: false }
    }

    /// Reads to the closing quote, and returns what follows it; `None` where the line ends first.
    fn take<'t>(&mut self, line: &'t str) -> Result<Option<&'t str>, String> {
        self.joined = false;
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '\'' if self.quote == '\'' && chars.as_str().starts_with('\'') => {
                    chars.next();
                    self.text.push('\'');
                }
                _ if c == self.quote => return Ok(Some(chars.as_str())),
                '\\' if self.quote == '"' => match chars.next() {
                    Some(escape) => {
                        let c = unescape(escape, &mut chars)?;
                        self.text.push(c);
                    }
                    None => self.joined = true,
                },
                _ => self.text.push(c),
            }
            if !WHITE.contains(&c) {
                self.solid = self.text.len();
            }
        }
        Ok(None)
    }

    fn break_line(&mut self, blank: usize) {
        if !self.joined {
            self.text.truncate(self.solid);
            fold(&mut self.text, blank);
        } else if blank > 0 {
            fold(&mut self.text, blank);
        }
        self.solid = self.text.len();
    }
}

fn unescape(escape: char, chars: &mut std::str::Chars<'_>) -> Result<char, String> {
    Ok(match escape {
        '0' => '\0',
        'a' => '\x07',
        'b' => '\x08',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\x0b',
        'f' => '\x0c',
        'r' => '\r',
        'e' => '\x1b',
        ' ' | '"' | '/' | '\\' => escape,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        'x' => code(chars, 2)?,
        'u' => code(chars, 4)?,
        'U' => code(chars, 8)?,
        other => return Err(format!("nobody knows the escape `\\{other}`")),
    })
}

fn code(chars: &mut std::str::Chars<'_>, length: usize) -> Result<char, String> {
    let digits: String = chars.by_ref().take(length).collect();
    let is_hex = digits.len() == length && digits.bytes().all(|c| c.is_ascii_hexdigit());
    let number = u32::from_str_radix(&digits, 16).ok().filter(|_| is_hex);
    number.and_then(char::from_u32).ok_or_else(|| format!("`{digits}` is the number of no character"))
}

/// A text in the lines below its key, each as it is (`|`) or flowing (`>`).
pub(super) fn block(header: &str, indent: isize, lines: &mut Lines<'_>) -> Result<String, YamlError> {
    let wrong = |what: &str| YamlError { line: lines.number(), what: what.to_owned() };
    let (mut step, mut chomp) = (None, None);
    for sign in header.trim_end_matches(WHITE).chars().skip(1) {
        match sign {
            '1'..='9' if step.is_none() => step = sign.to_digit(10),
            '+' | '-' if chomp.is_none() => chomp = Some(sign),
            _ => return Err(wrong("nobody knows this kind of block")),
        }
    }
    let column = step.map(|step| indent.max(0).unsigned_abs() + step as usize);
    let flows = header.starts_with('>');
    let (mut text, mut pending, mut column) = (String::new(), String::new(), column);
    let mut last_was_solid = false;
    let mut is_first = true;
    while let Some((spaces, line)) = lines.raw() {
        let all_spaces = line.len() == spaces;
        if all_spaces && column.is_none_or(|column| spaces <= column) {
            pending.push('\n');
            lines.advance();
            continue;
        }
        let column = *column.get_or_insert(spaces);
        if spaces < column || column.cast_signed() <= indent {
            break;
        }
        let content = &line[column..];
        let is_solid = !content.starts_with(WHITE);
        if !is_first {
            match (flows && last_was_solid && is_solid, pending.is_empty()) {
                (true, true) => text.push(' '),
                (true, false) => {}
                (false, _) => text.push('\n'),
            }
        }
        text.push_str(&std::mem::take(&mut pending));
        text.push_str(content);
        (last_was_solid, is_first) = (is_solid, false);
        lines.advance();
    }
    // A text that the document ends in without a line break has none either.
    if chomp != Some('-') && !is_first && !lines.is_cut() {
        text.push('\n');
    }
    if chomp == Some('+') {
        text.push_str(&pending);
    }
    Ok(text)
}

/// What `!binary` holds, which older versions of JRuby made of every text beyond ASCII.
pub(super) fn binary(text: &str) -> Result<String, String> {
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| "it is no base64".to_owned())?;
    String::from_utf8(bytes).map_err(|_| "what is in it is no UTF-8".to_owned())
}
