//! What Kibana's own files have to say.

use super::environment::settings;
use super::rules::{KB_LOCAL, KB_SHOWN, KB_SPACE, KB_STRAY};
use super::subject::{Found, Scene};
use crate::recipe::{ImageRecipe, Product};

/// Where the image has its configuration.
const CONFIG: &str = "/usr/share/kibana/config/kibana.yml";

/// Where Kibana takes every folder for a plugin.
const PLUGINS: &str = "/usr/share/kibana/plugins/";

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    if image.product != Product::Kibana {
        return;
    }
    for (path, _) in scene.subject.local.tree.iter() {
        if path.as_str().strip_prefix(PLUGINS) == Some(".plugin.installing") {
            found.add(&KB_STRAY, scene.file(path), format!("`{path}` would be baked in"));
        }
    }
    check_listening(scene, image, found);
    check_options(scene, image, found);
}

/// The variables that the image's start script makes options of begin so, as far as they are this product's own.
fn is_option(name: &str) -> bool {
    ["SERVER_", "ELASTICSEARCH_", "XPACK_", "MONITORING_"].iter().any(|start| name.starts_with(start))
}

/// The start script writes `--server.name=VALUE`, without quotes, for every `ps` to see.
fn check_options(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    let env = image.config.iter().flat_map(|config| &config.env);
    for (name, value) in env.filter(|(name, value)| is_option(name) && value.contains(char::is_whitespace)) {
        let place = scene.key(&format!("config.env.{name}"));
        found.add(&KB_SPACE, place, format!("`{name}` is `{value}`"));
    }
    let secrets = image.runtime.iter().flat_map(|runtime| &runtime.secrets);
    for name in secrets.filter(|name| is_option(name)) {
        found.add(&KB_SHOWN, scene.key("runtime.secrets"), format!("`{name}` is handed to Kibana as an option"));
    }
}

/// The image's own file makes Kibana listen to all, and a baked one takes its place.
fn check_listening(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    let settings = settings(scene, image);
    let mut hosts = settings.iter().filter(|setting| setting.key == "server.host").peekable();
    if hosts.peek().is_none()
        && let Some(file) = scene.files.iter().find(|file| file.path.as_str() == CONFIG)
    {
        found.add(&KB_LOCAL, file.place(1), "`server.host` is not set, and without it Kibana listens on localhost");
    }
    for host in hosts.filter(|host| matches!(host.value.as_str(), "localhost" | "127.0.0.1" | "::1")) {
        found.add(&KB_LOCAL, host.place.clone(), format!("`server.host` is `{}`", host.value));
    }
}
