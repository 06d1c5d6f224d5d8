//! The language of pipelines, as Logstash reads it before it knows any plugin: sections, conditions, plugins and what
//! their settings are set to. Which settings a plugin has is the plugin's business; a file that does not get this far never
//! starts.
//!
//! Logstash's own grammar is an ordered one: of several ways to read something the first that succeeds counts. So it does
//! here, with the same oddities: a bare word has two letters at least, and a backslash hides a quote even behind another.

mod grammar;
mod reader;
mod section;

pub(super) use reader::PipelineError;
pub(super) use section::Section;

use reader::Reader;

/// The sections of a file, in its order.
pub(super) fn read(text: &str) -> Result<Vec<Section>, PipelineError> {
    let mut reader = Reader::new(text);
    let mut sections = Vec::new();
    reader.space();
    while let Some(section) = reader.section() {
        sections.push(section);
        reader.space();
    }
    if reader.ended() { Ok(sections) } else { Err(reader.error()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sections_are_found_among_everything_else() {
        let text = r#"# input { "
input { tcp { port => 9601 codec => json } }
filter {
  if [message] =~ /^"[a-z]{2}\/#/ and ("a" in [tags] or [n] > 1.5) {
    mutate { add_field => { "a}" => 'it"s \' {' } } # } "
  } else if ![a][b] or md5([a], "x") != '{' nand [c] not in ["d", "e"] { drop {} }
  else { "grok" { match => { message => ["%{X}", '}'] 2 => -1. } } }
}
output{elasticsearch{hosts=>["${ES:http://localhost:9200/}"] id=>"two
lines" codec => line { format => "x" }}}
"#;
        assert_eq!(read(text), Ok(vec![Section::Input, Section::Filter, Section::Output]));
        assert_eq!(read("# nothing\n"), Ok(vec![]));
        assert_eq!(read("filter { if { a_b => cd } if_x { } else_y { } }"), Ok(vec![Section::Filter]));
        assert_eq!(read("filter { if [a\"{] == 1 { } }"), Ok(vec![Section::Filter]), "any name may be in brackets");
    }

    #[test]
    fn every_mistake_has_its_line() {
        for (text, line, part) in [
            ("input {\n  tcp {\n", 2, "this `{` is never closed"),
            ("input {\n}\n}\n", 3, "`input`, `filter` or `output` is expected, and not `}`"),
            (
                "input {\n  tcp { ab => [1, 2 }\n}",
                2,
                "`,` or the `]` that closes the `[` of line 2 is expected, and not `}`",
            ),
            ("input {\n  tcp { a => \"b }\n}", 2, "starts with \" here has no end"),
            ("filter { if [a] =~ /b { } }", 1, "starts with / here has no end"),
            ("input { a { path => \"c:\\\\\" } }", 1, "has no end"),
            ("inputs {\n}", 1, "`{` is expected, and not `s`"),
            ("\n{ }", 2, "`input`, `filter` or `output` is expected, and not `{`"),
            ("input tcp { }", 1, "`{` is expected, and not `t`"),
            ("input", 1, "the file ends where `{` is expected"),
            ("input { }\n- a: b", 2, "is expected, and not `-`"),
            ("\"input\" { }", 1, "is expected, and not `\\\"`"),
            ("input {\n  tcp {\n    port 9601\n  }\n}", 3, "`=>` is expected, and not `9`"),
            ("input {\n  tcp { port => }\n}", 2, "a value is expected, and not `}`"),
            ("input {\n  tcp { port => 1, host => \"a\" }\n}", 2, "closes the `{` of line 2 is expected, and not `,`"),
            ("output {\n  es { hosts => [\"a\" \"b\"] }\n}", 2, "`,` or the `]` that closes the `[` of line 2"),
            ("filter {\n  if [a] == { }\n}", 2, "a field, as in `[name]`, or a value is expected, and not `{`"),
            ("filter {\n  if [a] =~ b { }\n}", 2, "a pattern, as in `/a/`, or a text is expected"),
            ("filter {\n  if ([a] { }\n}", 2, "the `)` that closes the `(` of line 2 is expected"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error:?}");
            assert!(error.message.contains(part), "{text}: {error:?}");
        }
        let deep = format!("filter {{ a {{ b => {}1{} }} }}", "[".repeat(1000), "]".repeat(1000));
        assert!(read(&deep).unwrap_err().message.contains("more than 100 levels"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_on_one_of_its_lines(text in "(input|output| |if |else |=>|\\{|\\}|\\[|\\]|\"|'|/|~|#|\\\\|ab|ä|\n){0,40}") {
            if let Err(error) = read(&text) {
                prop_assert!((1..=text.matches('\n').count() + 1).contains(&error.line));
            }
        }

        #[test]
        fn plugins_with_settings_are_read(plugins in prop::collection::vec("[a-z]{1,5} \\{( [a-z]{1,5} => (\"[^\"\\\\\\\\]{0,5}\"|[0-9]|[a-z]{2,4}|\\[1, 2\\]))* \\}", 0..5)) {
            let text = format!("input {{ {} }}", plugins.join(" # }\n"));
            prop_assert_eq!(read(&text), Ok(vec![Section::Input]));
        }
    }
}
