//! Jar hell: one class in two jars that one class loader sees. No node starts with it.
//!
//! A plugin has a class loader of its own, above it those of the plugins it extends, above all that of Elasticsearch. So
//! two plugins may bring the same class, unless one of them extends the other.

use std::collections::BTreeMap;

use super::bundle::{Bundle, Bundles};
use super::home::{Home, LARGEST_JAR, is_jar};
use super::jar::{self, Jar};
use super::java::JavaVersion;
use crate::product::plugin::InstallError;

/// Checks a plugin's own jars, among themselves and against Elasticsearch's.
pub(super) fn check_own(bundle: &Bundle<'_>, home: Home<'_>) -> Result<(), InstallError> {
    let java = home.java()?;
    let mut seen = Seen::default();
    for path in bundle.all_jars() {
        let help = "use a whole package";
        let jar = Jar::read(&bundle.bytes(path)?).map_err(|error| InstallError::rule(path, error.to_string(), help))?;
        if let Some(target) = jar.attribute("X-Compile-Target-JDK") {
            check_target(path, target, java.as_ref())?;
        }
        seen.add(path, jar.classes)?;
    }
    if seen.0.is_empty() {
        return Ok(());
    }
    for name in home.names("lib")?.into_iter().filter(|name| is_jar(name)) {
        let core = format!("lib/{name}");
        let Some(bytes) = home.bytes(&core, LARGEST_JAR)? else { continue };
        let help = "use an image whose jars are whole";
        let classes = jar::classes(&bytes).map_err(|error| InstallError::rule(&core, error.to_string(), help))?;
        if let Some((class, own)) = classes.iter().find_map(|class| Some((class, seen.0.get(class)?))) {
            return Err(twice(
                own,
                class,
                &core,
                "leave that jar out of the plugin's package: Elasticsearch has it already",
            ));
        }
    }
    Ok(())
}

/// Checks a plugin's jars against those of all that it extends, as far as these are there.
pub(super) fn check_extended<'a>(bundle: &Bundle<'a>, bundles: &mut Bundles<'a>) -> Result<(), InstallError> {
    let mut above: BTreeMap<String, Bundle<'a>> = BTreeMap::new();
    for name in &bundle.extends {
        if let Some(extended) = bundles.find(name)? {
            above.extend(bundles.transitive(&extended)?);
        }
    }
    if above.is_empty() {
        return Ok(());
    }
    above.extend(bundle.all_jars().map(|jar| (jar.clone(), bundle.clone())));
    let mut seen = Seen::default();
    for (path, owner) in &above {
        seen.add(path, bundles.classes(owner, path)?.to_vec())?;
    }
    Ok(())
}

fn check_target(path: &str, target: &str, java: Option<&JavaVersion>) -> Result<(), InstallError> {
    let help = "use a release of the plugin for the image's Java";
    match (target.parse::<JavaVersion>(), java) {
        (Err(()), _) => {
            Err(InstallError::rule(&path, format!("its manifest asks for Java `{target}`, which is no version"), help))
        }
        (Ok(target), Some(java)) if *java < target => {
            Err(InstallError::rule(&path, format!("it needs Java {target}, and the image below has Java {java}"), help))
        }
        _ => Ok(()),
    }
}

/// Classes, and the jars they have been seen in.
#[derive(Default)]
struct Seen(BTreeMap<String, String>);

impl Seen {
    fn add(&mut self, path: &str, classes: Vec<String>) -> Result<(), InstallError> {
        for class in classes {
            match self.0.get(&class) {
                // Elasticsearch's only exception: XMLBEANS-499.
                Some(other) if other == path && class.starts_with("org.apache.xmlbeans") => {}
                Some(other) if other == path => {
                    let message = format!("it has the class `{class}` more than once");
                    return Err(InstallError::rule(&path, message, "use another build of that jar"));
                }
                Some(other) => {
                    return Err(twice(path, &class, other, "leave one of the two jars out of the plugin's package"));
                }
                None => {
                    self.0.insert(class, path.to_owned());
                }
            }
        }
        Ok(())
    }
}

fn twice(path: &str, class: &str, other: &str, help: &str) -> InstallError {
    InstallError::rule(
        &path,
        format!("it has the class `{class}`, and so has `{other}`, which a node refuses (jar hell)"),
        help,
    )
}
