//! Properties come out of plugins from anywhere, and out of checkouts: Java's own format, in bytes of any kind.
#![no_main]

use std::fmt::Write;

use elkbake::product::java_properties::read;

/// A text with every character escaped, which means the same wherever it stands.
fn escaped(text: &str) -> String {
    text.encode_utf16().fold(String::new(), |mut escaped, unit| {
        let _ = write!(escaped, "\\u{unit:04x}");
        escaped
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.iter().filter(|byte| matches!(**byte, b'\n' | b'\r')).count() + 1;
    match read(bytes) {
        Ok(properties) => {
            assert!(properties.values().all(|property| (1..=lines).contains(&property.line)));
            // Said in the plainest way, it is the same once more; around it, what means nothing.
            let plain = properties.iter().fold("\\\n# x=y\\\n\r\n".to_owned(), |mut plain, (key, property)| {
                let _ = write!(plain, " \t\\\n  {}\\\r\n : {}\r\n", escaped(key), escaped(&property.value));
                plain
            });
            let again = read(plain.as_bytes()).expect("what is written plainly can be read");
            let values = |of: &std::collections::BTreeMap<_, elkbake::product::java_properties::Property>| {
                of.iter().map(|(key, property)| (String::clone(key), property.value.clone())).collect::<Vec<_>>()
            };
            assert_eq!(values(&again), values(&properties));
        }
        Err(error) => {
            assert!((1..=lines).contains(&error.line), "{error}");
        }
    }
});
