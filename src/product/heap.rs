//! The heap of Elasticsearch and Logstash, as `jvm.options`, `jvm.options.d/` and the environment together make it.

use super::rule::Rule;
use super::rules::{
    HEAP_ABOVE_HALF, HEAP_ABOVE_LIMIT, HEAP_FORM, HEAP_LARGE, HEAP_PAIR, HEAP_UNEQUAL, LS_HEAP_ABOVE_LIMIT,
    LS_HEAP_FORM, LS_HEAP_PAIR, WRONG_JAVA_OPTS,
};
use super::subject::{Found, Place, Scene};
use crate::recipe::{ImageRecipe, Product};

const MIB: u64 = 1 << 20;

/// One of the two bounds of the heap, where it is said.
struct Bound {
    flag: &'static str,
    text: String,
    place: Place,
}

/// What each product's rules for the same mistakes are called.
struct Names {
    variable: &'static str,
    form: &'static Rule,
    pair: &'static Rule,
    unequal: &'static Rule,
    limit: &'static Rule,
}

const ELASTICSEARCH: Names = Names {
    variable: "ES_JAVA_OPTS",
    form: &HEAP_FORM,
    pair: &HEAP_PAIR,
    unequal: &HEAP_UNEQUAL,
    limit: &HEAP_ABOVE_LIMIT,
};

const LOGSTASH: Names = Names {
    variable: "LS_JAVA_OPTS",
    form: &LS_HEAP_FORM,
    pair: &LS_HEAP_PAIR,
    unequal: &LS_HEAP_PAIR,
    limit: &LS_HEAP_ABOVE_LIMIT,
};

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    let names = match image.product {
        Product::Elasticsearch => ELASTICSEARCH,
        Product::Logstash => LOGSTASH,
        _ => return,
    };
    let env = image.config.as_ref().map(|config| &config.env);
    if image.product == Product::Logstash && env.is_some_and(|env| env.contains_key("ES_JAVA_OPTS")) {
        found.add(&WRONG_JAVA_OPTS, scene.key("config.env.ES_JAVA_OPTS"), "Logstash does not read `ES_JAVA_OPTS`");
    }
    let mut bounds = in_files(scene);
    if let Some(options) = env.and_then(|env| env.get(names.variable)) {
        let place = scene.key(&format!("config.env.{}", names.variable));
        bounds.extend(options.split_whitespace().filter_map(|option| bound(option, &place)));
    }
    for bound in bounds.iter().filter(|bound| bytes(&bound.text).is_none()) {
        found.add(names.form, bound.place.clone(), format!("`{}{}`", bound.flag, bound.text));
    }
    // Of several the last one counts, for Java too.
    let last = |flag: &str| bounds.iter().rfind(|bound| bound.flag == flag);
    match (last("-Xms"), last("-Xmx")) {
        (Some(one), None) | (None, Some(one)) => {
            let message = format!("`{}{}` stands alone", one.flag, one.text);
            found.add(names.pair, one.place.clone(), message);
        }
        (Some(start), Some(most)) => {
            let (low, high) = (bytes(&start.text), bytes(&most.text));
            if low.is_some() && high.is_some() && low != high {
                let message = format!("`-Xms{}` and `-Xmx{}`", start.text, most.text);
                found.add(names.unequal, most.place.clone(), message);
            }
        }
        (None, None) => {}
    }
    if let Some(most) = last("-Xmx") {
        check_size(image, &names, most, found);
    }
}

fn check_size(image: &ImageRecipe, names: &Names, most: &Bound, found: &mut Found) {
    let Some(heap) = bytes(&most.text) else { return };
    let elasticsearch = image.product == Product::Elasticsearch;
    if elasticsearch && heap > 31 * 1024 * MIB {
        found.add(&HEAP_LARGE, most.place.clone(), format!("`-Xmx{}`", most.text));
    }
    let Some(limit) = image.runtime.as_ref().and_then(|runtime| runtime.memory) else { return };
    let memory = u64::from(limit) * MIB;
    let message = format!("`-Xmx{}` of {limit} MiB", most.text);
    if heap >= memory {
        found.add(names.limit, most.place.clone(), message);
    } else if elasticsearch && heap > memory / 2 {
        found.add(&HEAP_ABOVE_HALF, most.place.clone(), message);
    }
}

/// The bounds in the files that the JVM's options are read from, in the order in which they are read.
fn in_files(scene: &Scene<'_>) -> Vec<Bound> {
    let main = scene.files.iter().filter(|file| file.path.file_name() == "jvm.options");
    let more = |folder: &str| folder.ends_with("/jvm.options.d");
    let more = scene.files.iter().filter(|file| {
        file.has_extension(&["options"]) && file.path.parent().is_some_and(|folder| more(folder.as_str()))
    });
    let mut bounds = Vec::new();
    for file in main.chain(more) {
        for (number, line) in file.live_lines() {
            bounds.extend(bound(for_any_java(line.trim()), &file.place(number)));
        }
    }
    bounds
}

/// An option without the Java versions it is for: `8:`, `8-:`, `9-13:`.
fn for_any_java(line: &str) -> &str {
    match line.split_once(':') {
        Some((versions, option)) if versions.bytes().all(|c| c.is_ascii_digit() || c == b'-') => option,
        _ => line,
    }
}

fn bound(option: &str, place: &Place) -> Option<Bound> {
    ["-Xms", "-Xmx"].into_iter().find_map(|flag| {
        let text = option.strip_prefix(flag)?.to_owned();
        Some(Bound { flag, text, place: place.clone() })
    })
}

/// How many bytes a size of Java's is.
fn bytes(text: &str) -> Option<u64> {
    let (digits, factor) = match text.chars().next_back()?.to_ascii_lowercase() {
        'k' => (&text[..text.len() - 1], 1 << 10),
        'm' => (&text[..text.len() - 1], MIB),
        'g' => (&text[..text.len() - 1], MIB << 10),
        't' => (&text[..text.len() - 1], MIB << 20),
        _ => (text, 1),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_java_reads_them() {
        assert_eq!(bytes("1g"), Some(1 << 30));
        assert_eq!(bytes("1024M"), Some(1 << 30));
        assert_eq!(bytes("1048576k"), Some(1 << 30));
        assert_eq!(bytes("1073741824"), Some(1 << 30));
        for wrong in ["", "g", "7.5g", "+1g", "1gb", "1 g", "${X}", "ä", "99999999999999999999g", "99999999999999999t"]
        {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn options_may_be_for_some_java_versions_only() {
        assert_eq!(for_any_java("8:-Xms1g"), "-Xms1g");
        assert_eq!(for_any_java("9-13:-Xms1g"), "-Xms1g");
        assert_eq!(for_any_java("-Xlog:gc:x"), "-Xlog:gc:x");
    }
}
