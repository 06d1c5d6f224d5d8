//! Mistakes in a text as people see them: path, line and column, the line itself, a caret, and what to do.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::text::{Problem, TextError, line_and_column};

/// Narrower terminals are treated as if they were this wide.
const NARROWEST: usize = 40;

/// All mistakes of a text, one below the other, without a line break at the end.
#[must_use]
pub(super) fn render(error: &TextError, color: bool, width: usize) -> String {
    let width = width.max(NARROWEST);
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(width);
    let told = error.problems.iter().map(|problem| renderer.render(&[group(error, problem, width)]));
    told.collect::<Vec<_>>().join("\n\n")
}

fn group<'e>(error: &'e TextError, problem: &'e Problem, width: usize) -> Group<'e> {
    let path = error.path.display().to_string();
    let title = Level::ERROR.primary_title(problem.message.as_str());
    let mut group = if error.text.is_empty() {
        // Too long, or empty: there is no line to show.
        Group::with_title(title).element(Origin::path(path))
    } else {
        let (number, _) = line_and_column(&error.text, problem.span.start);
        let line = line_around(&error.text, problem.span.start);
        let shown = Snippet::source(without_credentials(&error.text[line.clone()])).line_start(number).path(path);
        let span = within(&error.text, &line, &problem.span, width / 2);
        Group::with_title(title).element(shown.annotation(AnnotationKind::Primary.span(span)))
    };
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

/// A line whose URLs show no user and no password, as long as before, so that the caret keeps its place: what is
/// refused because it would leak is not to leak by the refusal.
fn without_credentials(line: &str) -> Cow<'_, str> {
    let mut hidden = Cow::Borrowed(line);
    for (scheme, _) in line.match_indices("://") {
        let begin = scheme + "://".len();
        let length = line[begin..].find(|c: char| c.is_whitespace() || "/?#\"'".contains(c));
        let authority = &line[begin..length.map_or(line.len(), |length| begin + length)];
        if let Some(at) = authority.rfind('@') {
            hidden.to_mut().replace_range(begin..begin + at, &"*".repeat(at));
        }
    }
    hidden
}

/// The bytes of the line in which a byte stands, without its end.
fn line_around(text: &str, byte: usize) -> Range<usize> {
    let byte = text.floor_char_boundary(byte.min(text.len()));
    let start = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let end = if text[start..end].ends_with('\r') { end - 1 } else { end };
    start..end.max(start)
}

/// A span counted from the start of its line, cut at the line's end, and to `longest` bytes: a caret below a whole
/// long line shows nothing.
fn within(text: &str, line: &Range<usize>, span: &Range<usize>, longest: usize) -> Range<usize> {
    let start = span.start.clamp(line.start, line.end);
    let end = span.end.clamp(start, line.end).min(start + longest);
    text.floor_char_boundary(start) - line.start..text.floor_char_boundary(end).max(start) - line.start
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::*;
    use crate::{recipe, text};

    const HEAD: &str = "kind = \"image\"\nproduct = \"kibana\"\nversion = \"1\"\nfrom = \"scratch\"\n";

    fn plain(addition: &str) -> String {
        let error = recipe::parse(Path::new("recipes/es.toml"), &format!("{HEAD}{addition}")).unwrap_err();
        render(&error, false, 80)
    }

    #[test]
    fn an_unknown_key_is_shown_with_what_was_meant() {
        assert_eq!(
            plain("platfroms = [\"linux/amd64\"]\n"),
            "\
error: unknown key `platfroms`
 --> recipes/es.toml:5:1
  |
5 | platfroms = [\"linux/amd64\"]
  | ^^^^^^^^^
  |
  = help: did you mean `platforms`?"
        );
    }

    #[test]
    fn all_mistakes_are_shown() {
        assert_eq!(
            plain("[config]\nports = [\"x\"]\r\nuser = 1000\n"),
            "\
error: `x` is no port: it is a number from 1 to 65535, perhaps with `/tcp` or `/udp`
 --> recipes/es.toml:6:10
  |
6 | ports = [\"x\"]
  |          ^^^

error: this has to be a string, it is an integer
 --> recipes/es.toml:7:8
  |
7 | user = 1000
  |        ^^^^
  |
  = help: write it in quotes: `\"1000\"`"
        );
    }

    #[test]
    fn a_value_of_several_lines_is_shown_by_its_first() {
        assert_eq!(
            plain("config = [\n1,\n2\n]\n"),
            "\
error: this has to be a table, it is an array
 --> recipes/es.toml:5:10
  |
5 | config = [
  |          ^
  |
  = help: write `[config]`, with single brackets"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let pad = "x".repeat(10_000);
        let shown = plain(&format!("description = \"{pad}\" ; \"{pad}\"\n"));
        assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
        assert!(shown.contains("...") && shown.contains("es.toml:5:10018"), "{shown}");
        let shown = plain(&format!("product_ = \"{pad}\"\nversion_ = \"{pad}\"\n[config]\nuser = \"{pad} \"\n"));
        assert!(shown.lines().skip(1).all(|line| line.chars().count() <= 700), "{shown}");
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        let shown =
            plain("[[archive]]\nname = \"a\"\ninto = \"/opt\"\nurl = \"https://me:hunter2@a.example/b@c\" # by @me\n");
        assert!(
            shown.contains("url = \"https://**********@a.example/b@c\" # by @me") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert_eq!(without_credentials("a://ä:ö@b, c://d e@f"), "a://*****@b, c://d e@f");
    }

    #[test]
    fn columns_are_characters_and_tabs_do_not_shift_the_caret() {
        let shown = plain("description = \"äöü日本\" ; x\n");
        assert!(shown.contains("es.toml:5:23"), "{shown}");
        let shown = plain("[config]\n\tuser\t=\t1\n");
        assert!(shown.contains("es.toml:6:9"), "{shown}");
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[3].find('1'), lines[4].find('^'), "{shown}");
    }

    #[test]
    fn what_has_no_line_is_shown_without_one() {
        let path = PathBuf::from("a.toml");
        let error = text::decode(&path, vec![b'x'; text::LONGEST_TEXT + 1]).unwrap_err();
        assert_eq!(
            render(&error, false, 80),
            "\
error: this file has more than 1048576 bytes, and longer texts are not read
--> a.toml
 = help: large content belongs into files under `images/` or `ami/`"
        );
        let error = recipe::parse(&path, "").unwrap_err();
        assert!(render(&error, false, 80).starts_with("error: this recipe is empty\n--> a.toml\n = help: say `kind"));
    }

    #[test]
    fn the_place_of_a_byte_that_is_no_text_is_shown() {
        let error = text::decode(Path::new("a.toml"), b"a = 1\nb = \"\xFF\"\n".to_vec()).unwrap_err();
        assert!(
            render(&error, false, 80).contains(" --> a.toml:2:6\n  |\n2 | b = \"\n  |      ^"),
            "{}",
            render(&error, false, 80)
        );
    }

    #[test]
    fn colour_is_for_terminals() {
        let error = recipe::parse(Path::new("a.toml"), "x = 1").unwrap_err();
        assert!(render(&error, true, 80).contains("\u{1b}["));
        assert!(!render(&error, false, 0).contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn any_place_in_any_text_can_be_shown(text: String, from in 0usize..100, long in 0usize..100, width in 0usize..200) {
            let (from, to) = (text.floor_char_boundary(from), text.floor_char_boundary(from + long));
            let problem = Problem { span: from..to.max(from), message: "wrong".to_owned(), help: None };
            let error = TextError { path: PathBuf::from("a.toml"), text, problems: vec![problem] };
            prop_assert!(render(&error, false, width).starts_with("error: wrong\n"));
        }
    }
}
