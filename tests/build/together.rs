//! Plugins that a node does not start with together.

use crate::build::products::{descriptor, elasticsearch, zipped};
use crate::build::refused::{kitchen, refused};
use crate::kitchen::project::Kitchen;

/// Two plugins that have one class, with these lines more in their descriptors.
fn plugins(more: [&str; 2]) -> Kitchen {
    let names = ["one", "two"];
    let list = names.map(|name| format!("[[plugin]]\nname = \"{name}\"\npath = \"{name}.zip\"\n")).concat();
    let kitchen = kitchen("elasticsearch", "etc/own", "own", &list).file("base.tar.gz", elasticsearch());
    let jar = zipped(&[("org/example/Shared.class", b"class")]);
    names.iter().zip(more).fold(kitchen, |kitchen, (name, more)| {
        let text = descriptor(name, "8.19.3", more);
        let zip = zipped(&[("plugin-descriptor.properties", text.as_bytes()), ("it.jar", &jar)]);
        kitchen.file(&format!("{name}.zip"), zip)
    })
}

#[test]
fn plugins_that_do_not_go_together_are_refused_before_the_first_is_written() {
    let kitchen = plugins(["", "extended.plugins=one\n"]);
    refused(&kitchen, 3).complains("org.example.Shared").complains("one").complains("two");
    let kitchen = plugins(["extended.plugins=three\n", ""]);
    refused(&kitchen, 3).complains("it extends the plugin `three`, which is neither in the recipe nor in the image");
    // A plugin that is alone, and one whose layer was made when it was not.
    let recipe = kitchen.read("recipes/app.toml");
    let (before, two) = recipe.split_at(recipe.rfind("[[plugin]]").unwrap());
    kitchen.write("recipes/app.toml", before);
    refused(&kitchen, 3).complains("it extends the plugin `three`");
    let three = zipped(&[("plugin-descriptor.properties", descriptor("three", "8.19.3", "").as_bytes())]);
    kitchen.write("two.zip", three);
    kitchen.write("recipes/app.toml", format!("{before}{}", two.replace("name = \"two\"", "name = \"three\"")));
    kitchen.run(&["lock"]).success();
    kitchen.run(&["build", "app"]).success();
    kitchen.write("recipes/app.toml", before);
    refused(&kitchen, 3).complains("it extends the plugin `three`");
}
