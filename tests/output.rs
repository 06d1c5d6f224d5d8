//! Built images on their way to other programs.

mod docker_archive;
mod layout;
mod rootfs;

use elkbake::bake::built::Built;
use elkbake::bake::event::SILENT;
use elkbake::bake::interrupt::Interrupt;
use elkbake::bake::output::{self, Desk, Image, OutputError, Place};
use elkbake::name::{Platform, Repository, Tag};
use elkbake::plan::LayerKind;

use crate::kitchen::built::{Bakery, Packed, Tarball};

/// An image with a base and a layer of its own, on some platforms.
fn bake(bakery: &Bakery, platforms: &[&str], content: &str) -> Built {
    let image = |platform: &&'static str| {
        let base = Tarball::new().folder("etc").file("etc/os", platform.as_bytes());
        let own = Tarball::new().file("etc/own", content.as_bytes());
        let base = bakery.layer(LayerKind::Base, base, Packed::Gzip);
        (*platform, vec![base, bakery.layer(LayerKind::Files, own, Packed::Gzip)])
    };
    let platforms: Vec<&'static str> = platforms
        .iter()
        .map(|platform| if platform.ends_with("amd64") { "linux/amd64" } else { "linux/arm64" })
        .collect();
    bakery.image(&platforms.iter().map(image).collect::<Vec<_>>())
}

pub fn write(bakery: &Bakery, built: &Built, tag: &str, to: &str) -> Result<(), OutputError> {
    let place: Place = to.parse().unwrap();
    let (repository, tag): (Repository, Tag) = ("elk/es".parse().unwrap(), tag.parse().unwrap());
    let interrupt = Interrupt::default();
    let host: Platform = "linux/amd64".parse().unwrap();
    let desk =
        Desk { store: &bakery.store, interrupt: &interrupt, tell: SILENT, host: &host, folder: bakery.folder.path() };
    output::write(&Image::new(built, &repository, &tag), &place, desk)
}
