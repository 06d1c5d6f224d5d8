//! What Kibana's own files have to say.

use super::environment::settings;
use super::rules::{KB_LOCAL, KB_STRAY};
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
