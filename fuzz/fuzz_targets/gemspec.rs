//! What a gem says of itself is written by whoever made the gem, and becomes Ruby that Logstash runs.
#![no_main]

use elkbake::product::logstash;

/// What lines of a specification begin with: nothing that a gem says may begin one of its own.
const STARTS: [&str; 8] =
    ["# ", "Gem::Specification.new do |s|", "  s.", "    s.", "  if s.", "  else", "  end", "end"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match logstash::gemspec(text) {
        Ok(ruby) => {
            for line in ruby.lines() {
                assert!(line.is_empty() || STARTS.iter().any(|start| line.starts_with(start)), "{line}");
            }
        }
        Err(error) => assert!(error.len() < 2000, "an error as long as what it complains about"),
    }
});
