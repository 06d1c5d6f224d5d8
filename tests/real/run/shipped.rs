//! The recipes with commands that are shipped, on what can be had of their bases.

use super::left;
use crate::kitchen::baked::{gzipped, tarball};
use crate::kitchen::project::Kitchen;
use crate::real::artefact;
use crate::real::docker::Daemon;
use crate::real::onto_debian::{debian, place};

/// A shipped recipe on a small Debian, with what its own base has before its command.
fn shipped(name: &str, more: &str) -> String {
    let path = format!("{}/recipes/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| match line.split_once(" = ").map(|(key, _)| key.trim_end()) {
        Some("from") => "from = \"rootfs:debian.tar\"",
        Some("platforms") => "",
        _ => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(text.matches("\n[[run]]\n").count(), 1);
    text.replace("\n[[run]]\n", &format!("\n{more}[[run]]\n"))
}

/// A company's own authority, brought into the bundle by the distribution's tool.
#[test]
fn the_bundle_of_authorities_is_rebuilt_by_the_distribution() {
    let Some(daemon) = Daemon::start() else { return };
    let Some(authorities) = artefact("authorities.tar", "authorities") else { return };
    // Debian's tool and its authorities are in every whole Debian; this base is a small one.
    let tool = "[[archive]]\nname = \"tool\"\npath = \"authorities.tar\"\ninto = \"/\"\n\n";
    let kitchen = Kitchen::new().recipe("app", &shipped("authorities", tool)).env("DOCKER_HOST", &daemon.address());
    let Some(_) = debian(&kitchen) else { return };
    place(&authorities, &kitchen.project().join("authorities.tar"));
    let mut own = rcgen::CertificateParams::new(Vec::new()).unwrap();
    own.distinguished_name.push(rcgen::DnType::CommonName, "Corporate Authority");
    own.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let own = own.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    kitchen.write("certificates/corporate.crt", &own);
    let built = kitchen.build("app");
    let baked = kitchen.baked(&built, 0);
    let layer = baked.layers.last().unwrap();
    let bundle = layer["etc/ssl/certs/ca-certificates.crt"].text();
    assert!(bundle.contains(own.trim()) && bundle.matches("BEGIN CERTIFICATE").count() > 100);
    assert_eq!(layer["etc/ssl/certs/corporate.pem"].content, b"/usr/local/share/ca-certificates/corporate.crt");
    let hashed =
        layer.iter().filter(|(path, _)| path.ends_with(".0")).any(|(_, item)| item.content == b"corporate.pem");
    assert!(hashed, "openssl finds it by its hash");
    kitchen.run(&["verify", "--rebuild", "app"]).success().says("the same");
    assert_eq!(left(&daemon), [""; 3]);
}

/// Does to the tree what Logstash's installer does: gems and their specifications, and Gemfile and lock written anew. It is
/// no Logstash: what JRuby and Bundler do is not tried here.
const INSTALLER: &str = r#"#!/bin/sh
set -e
[ "$1" = install ] && [ "$PWD" = /usr/share/logstash ]
pack=${2#file://}
name=$(cat "$pack")
if echo x 2>/dev/null >> "$pack"; then echo "the pack can be written"; exit 1; fi
echo "Installing file: $pack"
gems=vendor/bundle/jruby/3.1.0
mkdir -p "$gems/gems/$name/lib" "$gems/specifications" "$gems/cache"
echo "class Plugin; end" > "$gems/gems/$name/lib/plugin.rb"
echo "Gem::Specification.new" > "$gems/specifications/$name.gemspec"
date +%N > "$gems/cache/$name.gem"
date +%N > /tmp/hsperf
echo "gem \"${name%-*}\"" >> Gemfile
sed "s/^  specs:/&\n    $name/" Gemfile.lock > Gemfile.new && cat Gemfile.new > Gemfile.lock && rm Gemfile.new
echo "Install successful"
"#;

#[test]
fn a_plugin_is_installed_by_the_installer_of_the_base() {
    let Some(daemon) = Daemon::start() else { return };
    let at = |path: &str| format!("usr/share/logstash/{path}");
    let (tool, gemfile, lock) = (at("bin/logstash-plugin"), at("Gemfile"), at("Gemfile.lock"));
    let base = tarball(&[
        (tool.as_str(), 0o755, INSTALLER.as_bytes().to_vec()),
        (gemfile.as_str(), 0o664, b"gem \"a\"\n".to_vec()),
        (lock.as_str(), 0o664, b"GEM\n  specs:\n    a (1)\n".to_vec()),
    ]);
    let more = "[[archive]]\nname = \"base\"\npath = \"base.tgz\"\ninto = \"/\"\n\n";
    let text = shipped("logstash-installed", more).replace("product     = \"logstash\"", "product = \"generic\"");
    let kitchen = Kitchen::new().recipe("app", &text).file("base.tgz", gzipped(&base));
    let kitchen = kitchen.file("plugins/logstash-output-opensearch-offline.zip", "logstash-output-opensearch-2.1.0");
    let kitchen = kitchen.env("DOCKER_HOST", &daemon.address());
    let Some(_) = debian(&kitchen) else { return };
    let built = kitchen.build("app");
    let baked = kitchen.baked(&built, 0);
    let layer = baked.layers.last().unwrap();
    let files: Vec<_> = layer.iter().filter(|(path, _)| !path.ends_with('/')).map(|(path, _)| path.as_str()).collect();
    let gems = "usr/share/logstash/vendor/bundle/jruby/3.1.0";
    let name = "logstash-output-opensearch-2.1.0";
    let (code, specification) =
        (format!("{gems}/gems/{name}/lib/plugin.rb"), format!("{gems}/specifications/{name}.gemspec"));
    assert_eq!(files, [&gemfile, &lock, &code, &specification]);
    assert_eq!(layer[&gemfile].content, b"gem \"a\"\ngem \"logstash-output-opensearch\"\n");
    kitchen.run(&["verify", "--rebuild", "app"]).success().says("the same");
    // A cache that is not left out is another each time, and that is told.
    let kept = text.lines().filter(|line| !line.starts_with("except")).collect::<Vec<_>>().join("\n");
    kitchen.write("recipes/app.toml", kept);
    kitchen.run(&["build", "app"]).success();
    let ran = kitchen.run(&["verify", "--rebuild", "app"]).code(1);
    ran.says("(run plugin), entry `tmp/hsperf`, content: ");
    assert_eq!(left(&daemon), [""; 3]);
}
