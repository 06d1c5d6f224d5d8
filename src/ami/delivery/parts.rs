//! What a recipe's packages and commands come to in a program.

use crate::ami::storage;
use crate::ami::user_data::Chunk;
use crate::ami::user_data::shell::command;
use crate::recipe::{AmiRecipe, Checksum, PackageFile};

/// Packages by name, as `NAME` or `NAME=VERSION`: the recipe's, and what its settings cannot do without.
pub(super) fn packages(ami: &AmiRecipe) -> Vec<String> {
    let version = |version: &str| if version == "*" { String::new() } else { format!("={version}") };
    let mut packages: Vec<_> = ami.packages.iter().map(|(name, said)| format!("{name}{}", version(said))).collect();
    let firewall = (!ami.firewall.is_empty()).then_some("nftables");
    let needed = storage::packages(ami).into_iter().chain(firewall);
    packages.extend(needed.filter(|name| !ami.packages.contains_key(*name)).map(str::to_owned));
    packages
}

/// The same as cloud-init's settings: JSON is YAML, too, and says everything in ASCII.
pub(super) fn config(packages: &[String]) -> String {
    let entry = |package: &String| match package.split_once('=') {
        Some((name, version)) => serde_json::json!([name, version]),
        None => serde_json::json!(package),
    };
    let json = serde_json::json!({ "packages": packages.iter().map(entry).collect::<Vec<_>>() }).to_string();
    let mut ascii = String::new();
    for unit in json.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ b' '..=b'~') => ascii.push(char::from(byte)),
            _ => ascii.push_str(&format!("\\u{unit:04x}")),
        }
    }
    ascii + "\n"
}

/// Installs packages by file; `by` is the function that does it and tells about it.
pub(super) fn install_files(ami: &AmiRecipe, by: &str) -> Vec<Chunk> {
    let install = |package: &PackageFile| {
        let title = format!("package {}", package.name);
        let (kind, digits) = match &package.checksum {
            Checksum::Sha256(digest) => ("sha256", digest.hex()),
            Checksum::Sha512(digits) => ("sha512", digits.clone()),
        };
        let call = command([by, &title, "install_file", package.url.as_str(), kind, &digits]);
        let text = match package.architecture {
            Some(architecture) => format!("case $nonce in *-{architecture}) {call} ;; esac\n"),
            None => format!("{call}\n"),
        };
        Chunk::of(&title, text)
    };
    ami.package.iter().map(install).collect()
}

/// A bake's steps, in their order. Files are there before packages, which may come from a repository that one of them
/// names, and users, whom a package would make with a number of its own; files again when packages have brought files of their own, and when the cleaning has taken some away.
pub(super) fn steps(ami: &AmiRecipe, seconds: u32) -> Vec<Chunk> {
    let mut chunks = vec![Chunk::own(format!("watch_over {seconds} &\nstep 'files of the recipe' files\n"))];
    if !ami.user.is_empty() {
        chunks.push(Chunk::own("step users systemd-sysusers /etc/sysusers.d/90-elkbake.conf\n"));
    }
    let packages = packages(ami);
    if !packages.is_empty() || !ami.package.is_empty() {
        chunks.push(Chunk::own("step 'lists of packages' refresh_lists\n"));
    }
    if !packages.is_empty() {
        let words = ["step", "packages", "install_packages"].into_iter().map(str::to_owned);
        chunks.push(Chunk::of("packages", command(words.chain(packages)) + "\n"));
    }
    chunks.extend(install_files(ami, "step"));
    chunks.push(Chunk::own("step 'files that packages brought' files\n"));
    for run in &ami.run {
        let title = format!("run {}", run.name);
        let words = ["step", &title].into_iter().map(str::to_owned);
        chunks.push(Chunk::of(&title, command(words.chain(run.command.iter().cloned())) + "\n"));
    }
    chunks.push(Chunk::own(
        "unmask\nstep settings program apply --bake\nstep check program check --bake\nstep 'what is left of this instance' clean\n\
         step 'files that were cleaned away' files\nfinish ok\n",
    ));
    chunks
}
