//! Long texts on a terminal.

/// A text behind a label, broken between words so that it fits into so many columns; what follows is indented to where
/// the text began. A word that is longer than a line stays whole: paths and addresses are to be copied.
pub(super) fn folded(label: &str, text: &str, columns: usize) -> String {
    // On the narrowest terminals, more indentation than text would remain.
    let indent = label.chars().count().min(columns / 3);
    let mut lines = vec![label.to_owned()];
    let mut used = label.chars().count();
    let mut is_first = true;
    for word in text.split(' ') {
        let long = word.chars().count();
        // The last column stays free: some terminals begin a new line in it.
        if !is_first && used + 1 + long >= columns {
            lines.push(" ".repeat(indent));
            used = indent;
        } else if !is_first {
            used += 1;
            lines.last_mut().into_iter().for_each(|line| line.push(' '));
        }
        lines.last_mut().into_iter().for_each(|line| line.push_str(word));
        used += long;
        is_first = false;
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn lines_break_between_words_and_are_indented() {
        assert_eq!(folded("  why: ", "one two three four", 16), "  why: one two\n     three four");
        assert_eq!(folded("  fix: ", "short", 80), "  fix: short");
        assert_eq!(folded("", "a b", 3), "a\nb");
        assert_eq!(
            folded("  fix: ", "see https://example.com/a/long/path now", 20),
            "  fix: see\n      https://example.com/a/long/path\n      now"
        );
        assert_eq!(folded("x: ", "", 10), "x: ");
        for columns in 0..40 {
            let text = "to be or not to be";
            assert_eq!(
                folded("l: ", text, columns)
                    .replace('\n', " ")
                    .split_whitespace()
                    .skip(1)
                    .collect::<Vec<_>>()
                    .join(" "),
                text
            );
        }
    }
}
