//! The names of Java modules, as the JDK finds them for a folder of jars.

use super::jar::Jar;

/// What the module in a jar is called: as its description says, else as its manifest says, else as follows from the
/// jar's own name.
pub(super) fn name(file: &str, jar: &Jar) -> Option<String> {
    match (&jar.module_info, jar.attribute("Automatic-Module-Name")) {
        (Some(description), _) => described(description),
        (None, Some(name)) => Some(name.to_owned()),
        (None, None) => Some(derived(file.strip_suffix(".jar").unwrap_or(file))),
    }
}

/// The name in a `module-info.class`.
fn described(class: &[u8]) -> Option<String> {
    let mut bytes = Bytes(class);
    if bytes.four()? != 0xCAFE_BABE {
        return None;
    }
    bytes.take(4)?;
    let pool = pool(&mut bytes)?;
    // Flags, this class, its parent; a module has neither interfaces nor fields nor methods.
    bytes.take(6)?;
    if (bytes.two()?, bytes.two()?, bytes.two()?) != (0, 0, 0) {
        return None;
    }
    for _ in 0..bytes.two()? {
        let (attribute, length) = (bytes.two()?, bytes.four()?);
        let content = bytes.take(usize::try_from(length).ok()?)?;
        if text(&pool, attribute)? == b"Module" {
            let Constant::Module(name) = pool.get(usize::from(Bytes(content).two()?))? else { return None };
            return String::from_utf8(text(&pool, *name)?.to_vec()).ok();
        }
    }
    None
}

/// What of a class's constants matters here.
enum Constant<'c> {
    Text(&'c [u8]),
    Module(u16),
    Other,
}

fn text<'c>(pool: &[Constant<'c>], index: u16) -> Option<&'c [u8]> {
    match pool.get(usize::from(index))? {
        Constant::Text(text) => Some(text),
        _ => None,
    }
}

fn pool<'c>(bytes: &mut Bytes<'c>) -> Option<Vec<Constant<'c>>> {
    let count = usize::from(bytes.two()?);
    // The first one has the number 1.
    let mut pool = vec![Constant::Other];
    while pool.len() < count {
        let (constant, wide) = match bytes.one()? {
            1 => {
                let length = usize::from(bytes.two()?);
                (Constant::Text(bytes.take(length)?), false)
            }
            19 => (Constant::Module(bytes.two()?), false),
            7 | 8 | 16 | 20 => (bytes.skip(2)?, false),
            15 => (bytes.skip(3)?, false),
            3 | 4 | 9..=12 | 17 | 18 => (bytes.skip(4)?, false),
            // These two count as two constants.
            5 | 6 => (bytes.skip(8)?, true),
            _ => return None,
        };
        pool.push(constant);
        if wide {
            pool.push(Constant::Other);
        }
    }
    Some(pool)
}

struct Bytes<'c>(&'c [u8]);

impl<'c> Bytes<'c> {
    fn take(&mut self, count: usize) -> Option<&'c [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<Constant<'c>> {
        self.take(count).map(|_| Constant::Other)
    }

    fn one(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn two(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn four(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }
}

/// The name that follows from a jar's: without its version, and with dots for all that is no letter or digit.
fn derived(jar: &str) -> String {
    let version = |i: &usize| {
        let rest = jar[i + 1..].trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < jar.len() - i - 1 && (rest.is_empty() || rest.starts_with('.'))
    };
    let end = jar.match_indices('-').map(|(i, _)| i).find(version).unwrap_or(jar.len());
    let parts = jar[..end].split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(".")
}

/// A `module-info.class` with nothing in it but its name.
#[cfg(test)]
pub(super) fn description(name: &str) -> Vec<u8> {
    let text = |text: &str| [&[1][..], &u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    [
        &[0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 53, 0, 9][..],
        &text("module-info"),
        &[7, 0, 1],
        &text("Module"),
        &text(name),
        &[19, 0, 4],
        &[5, 0, 0, 0, 0, 0, 0, 0, 1],
        &text("SourceFile"),
        // Flags, class, no parent, no interfaces, fields or methods; two attributes.
        &[0x80, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
        &[0, 8, 0, 0, 0, 2, 0, 1],
        &[0, 3, 0, 0, 0, 6, 0, 5, 0, 0, 0, 0],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::jar;
    use super::*;

    #[test]
    fn a_module_is_called_as_it_says() {
        assert_eq!(described(&description("com.example.x")).as_deref(), Some("com.example.x"));
        let automatic = Jar::read(&jar(&["META-INF/MANIFEST.MF=Automatic-Module-Name: a.b\n"])).unwrap();
        assert_eq!(name("x-1.0.jar", &automatic).as_deref(), Some("a.b"));
        let plain = Jar::read(&jar(&["a/B.class"])).unwrap();
        assert_eq!(name("some_lib-x-1.0-beta.jar", &plain).as_deref(), Some("some.lib.x"));
        let broken = Jar::read(&jar(&["module-info.class=x"])).unwrap();
        assert_eq!(name("x.jar", &broken), None);
    }

    #[test]
    fn names_follow_from_those_of_jars() {
        for (jar, name) in
            [("a-1.2", "a"), ("a-b2-3", "a.b2"), ("a-1x", "a.1x"), ("-a--b-", "a.b"), ("a", "a"), ("a-1x-2.0", "a.1x")]
        {
            assert_eq!(derived(jar), name, "{jar}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_description_or_none(at in 0_usize..90, byte: u8, cut in 0_usize..100) {
            let mut bytes = description("a.b");
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = described(&bytes);
            bytes.truncate(cut);
            let _ = described(&bytes);
        }
    }
}
