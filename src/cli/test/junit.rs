//! JUnit's XML, as CI systems read it: a suite for each image, a case for each thing that was looked at.

use super::host::HostRow;
use super::row::{Row, seconds};
use crate::cli::failure::Failure;

/// The document. What could not be tested is an error in a suite of its own.
pub(super) fn document(rows: &[Row], hosts: &[HostRow], failures: &[Failure], at: &str) -> String {
    let cases: usize = rows.iter().map(|row| row.outcome.checks.len()).sum();
    let failed = rows.iter().filter(|row| row.outcome.failure().is_some()).count();
    let failed = failed + hosts.iter().filter(|row| row.tried.error.is_some()).count();
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let (cases, errors) = (cases + hosts.len() + failures.len(), failures.len());
    xml += &format!("<testsuites name=\"elkbake\" tests=\"{cases}\" failures=\"{failed}\" errors=\"{errors}\">\n");
    for row in rows {
        xml += &suite(row, at);
    }
    for row in hosts {
        xml += &host_suite(row, at);
    }
    for failure in failures {
        let message = escaped(&failure.to_string());
        let hint = escaped(failure.hint.as_deref().unwrap_or_default());
        xml += "  <testsuite name=\"elkbake\" tests=\"1\" failures=\"0\" errors=\"1\">\n";
        xml += "    <testcase classname=\"elkbake\" name=\"test\" time=\"0.000\">\n";
        xml += &format!("      <error message=\"{message}\">{hint}</error>\n    </testcase>\n  </testsuite>\n");
    }
    xml + "</testsuites>\n"
}

fn suite(row: &Row, at: &str) -> String {
    let outcome = &row.outcome;
    let class = format!("{} {}", row.name, outcome.platform);
    let (class, cases) = (escaped(&class), outcome.checks.len());
    let failed = usize::from(outcome.failure().is_some());
    let timestamp = at.trim_end_matches('Z');
    let time = seconds(outcome.total_ms);
    let mut xml = format!(
        "  <testsuite name=\"{class}\" tests=\"{cases}\" failures=\"{failed}\" errors=\"0\" time=\"{time:.3}\" \
         timestamp=\"{timestamp}\">\n    <properties>\n"
    );
    for (name, value) in [
        ("tag", row.tag.as_str()),
        ("manifest", &outcome.digest.to_string()),
        ("engine", &outcome.engine),
        ("log", &row.log.to_string()),
    ] {
        xml += &format!("      <property name=\"{name}\" value=\"{}\"/>\n", escaped(value));
    }
    xml += "    </properties>\n";
    for check in &outcome.checks {
        let (name, time) = (escaped(&check.name), seconds(check.ms));
        xml += &format!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time:.3}\"");
        xml += &match &check.failure {
            None => "/>\n".to_owned(),
            Some(why) => format!(">\n      <failure message=\"{}\"/>\n    </testcase>\n", escaped(why)),
        };
    }
    if failed > 0 {
        xml += "    <system-out>";
        for (name, lines) in outcome.last_lines() {
            xml += &format!("== {}\n", escaped(name.as_str()));
            xml.extend(lines.iter().map(|line| escaped(line) + "\n"));
        }
        xml += "</system-out>\n";
    }
    xml + "  </testsuite>\n"
}

/// A host looks at itself, and is one case.
fn host_suite(row: &HostRow, at: &str) -> String {
    let class = escaped(&format!("{} {}", row.name, row.subject()));
    let (failed, time) = (usize::from(row.tried.error.is_some()), seconds(row.tried.ms));
    let timestamp = at.trim_end_matches('Z');
    let mut xml = format!(
        "  <testsuite name=\"{class}\" tests=\"1\" failures=\"{failed}\" errors=\"0\" time=\"{time:.3}\" \
         timestamp=\"{timestamp}\">\n    <properties>\n"
    );
    let (tag, region) = (row.tag.as_str(), row.region.as_str());
    for (name, value) in [("tag", tag), ("region", region), ("instance_type", row.tried.instance_type.as_str())] {
        xml += &format!("      <property name=\"{name}\" value=\"{}\"/>\n", escaped(value));
    }
    xml += &format!("    </properties>\n    <testcase classname=\"{class}\" name=\"boot\" time=\"{time:.3}\"");
    xml += &match row.failure() {
        None => "/>\n".to_owned(),
        Some(why) => format!(">\n      <failure message=\"{}\"/>\n    </testcase>\n", escaped(&why)),
    };
    xml += "    <system-out>";
    xml.extend(row.tried.notes.iter().chain(&row.tried.console).map(|line| escaped(line) + "\n"));
    xml + "</system-out>\n  </testsuite>\n"
}

/// A text as it may stand in XML 1.0, also within quotes. What no document of it may hold becomes a question mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // As it is, a reader would make a space of it within quotes.
            '\n' | '\t' | '\r' => escaped += &format!("&#{};", u32::from(c)),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bake::smoke::{Check, Outcome};
    use crate::digest::Digest;

    #[test]
    fn what_is_not_for_xml_is_escaped() {
        assert_eq!(escaped("a<b>&\"\n\u{1b}[0m]]>é"), "a&lt;b&gt;&amp;&quot;&#10;\u{fffd}[0m]]&gt;é");
    }

    #[test]
    fn a_suite_has_all_that_was_looked_at() {
        let check = |name: &str, failure: Option<&str>| Check {
            name: name.to_owned(),
            ms: 1500,
            failure: failure.map(str::to_owned),
        };
        let outcome = Outcome {
            platform: "linux/amd64".parse().unwrap(),
            digest: Digest::of(b"m"),
            engine: "Docker 9".to_owned(),
            with: BTreeMap::new(),
            checks: vec![check("ready", None), check("command a && b", Some("it prints \"<\""))],
            ready_ms: 1500,
            stop_ms: 0,
            total_ms: 3100,
            asked: Vec::new(),
            logs: vec![("es".parse().unwrap(), "one & two\n".to_owned())],
        };
        let row = Row { name: "es".parse().unwrap(), tag: "1-a".parse().unwrap(), outcome, log: Digest::of(b"l") };
        let failure = Failure::input("no \"engine\"").hint("start one");
        let xml = document(&[row], &[], &[failure], "2026-01-01T00:00:00Z");
        for part in [
            "<testsuites name=\"elkbake\" tests=\"3\" failures=\"1\" errors=\"1\">",
            "<testsuite name=\"es linux/amd64\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"3.100\" timestamp=\"2026-01-01T00:00:00\">",
            "<testcase classname=\"es linux/amd64\" name=\"ready\" time=\"1.500\"/>",
            "name=\"command a &amp;&amp; b\"",
            "<failure message=\"it prints &quot;&lt;&quot;\"/>",
            "one &amp; two",
            "<error message=\"no &quot;engine&quot;\">start one</error>",
        ] {
            assert!(xml.contains(part), "{part}\n{xml}");
        }
    }
}
