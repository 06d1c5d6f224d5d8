//! The law: every function is one rule, and returns a line for each breach, `file:line: what is wrong`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::house::{House, Import, Source};

/// The floors from the top down, with their rooms. A new room is entered here and on the map in `src/lib.rs`.
const FLOORS: [(&str, &[&str]); 5] = [
    ("STREET", &["main", "cli", "remote"]),
    ("ROAD", &["bake"]),
    ("HANDS", &["image", "ami", "attest", "product", "store", "local", "contents", "unpack", "aside"]),
    ("PAPER", &["plan", "lock", "recipe", "record", "export", "project"]),
    ("GROUND", &["tree", "name", "digest", "text", "finding", "parallel", "moment"]),
];

/// What `remote` implements, what it tells as it works and what tells it to stop: all that it may know of `bake`.
const PORTS: [&str; 8] = [
    "src/bake/port.rs",
    "src/bake/port/ec2.rs",
    "src/bake/port/ec2/order.rs",
    "src/bake/port/ec2/thing.rs",
    "src/bake/port/ecr.rs",
    "src/bake/port/engine.rs",
    "src/bake/event.rs",
    "src/bake/interrupt.rs",
];

/// Longer files are read by nobody. Inline tests do not count.
const LONGEST_FILE: usize = 400;

/// Names under which anything can be put. `mod.rs` is one more name for the same file.
const VAGUE: [&str; 9] = ["mod", "util", "utils", "helper", "helpers", "common", "misc", "imp", "manager"];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|(_, rooms)| rooms.contains(&room))
}

/// Imports run down, or sideways on one floor; the street has walls of its own.
pub(super) fn floors(house: &House) -> Vec<String> {
    let mut broken = Vec::new();
    for (source, import) in imports(house) {
        let (from, to) = (source.room(), import.room());
        if let Some(why) = forbidden(house, from, to, import) {
            broken.push(format!("{}:{}: {why}", source.file, import.line));
        }
    }
    broken
}

fn forbidden(house: &House, from: &str, to: &str, import: &Import) -> Option<String> {
    if !house.has_room(to) {
        return Some(format!(
            "{from} imports `crate::{}` from the crate root, which is a map and has no items",
            import.path.join("::")
        ));
    }
    let (above, below) = (floor(from)?, floor(to)?);
    let file = house.file_of(import);
    let wrong = match (from, to) {
        _ if from == to => None,
        _ if below < above => {
            let why = "imports run down the floors, so move what both need down, or pass it in as a value";
            return Some(format!("{from} ({}) imports {to} ({}): {why}", FLOORS[above].0, FLOORS[below].0));
        }
        (_, "main") => Some("nobody imports main"),
        (_, "cli") if from != "main" => Some("only main imports cli"),
        (_, "remote") if from != "cli" => Some("only cli joins remote to the rest"),
        ("remote", "bake") if !file.is_some_and(|file| PORTS.contains(&file)) => {
            let file = file.unwrap_or("bake");
            return Some(format!("remote imports {file}: of bake it may know port, event and interrupt only"));
        }
        _ => None,
    };
    wrong.map(|why| format!("{from} imports {to}: {why}"))
}

/// No room needs itself by way of others.
pub(super) fn room_circles(house: &House) -> Vec<String> {
    let edges = imports(house).filter(|(source, import)| source.room() != import.room());
    circles(edges.map(|(source, import)| (source.room(), import.room(), format!("{}:{}", source.file, import.line))))
}

/// No file needs itself by way of others.
///
/// A parent's `pub use child::Name` is a door and no need: whoever goes through it, a sibling of the child
/// included, needs the child and not the parent. So a parent that holds more than doors stands either below its
/// children, who build on it, or above them and puts their work together; never both.
pub(super) fn file_circles(house: &House) -> Vec<String> {
    let edges = imports(house).filter(|(source, import)| !source.is_mere_door(import));
    circles(edges.filter_map(|(source, import)| {
        let to = house.file_of(import).filter(|to| *to != source.file)?;
        Some((source.file.as_str(), to, format!("{}:{}", source.file, import.line)))
    }))
}

/// A file that no `mod` names is not compiled, and its tests never run.
pub(super) fn forgotten_files(house: &House) -> Vec<String> {
    let hidden = house.sources().flat_map(|source| {
        source.path_attributes.iter().map(move |line| {
            format!("{}:{line}: `#[path]` puts a module where nobody looks for it, this test included", source.file)
        })
    });
    let lost = house.sources().filter(|source| !house.is_declared(source)).map(|source| {
        let name = source.module.last().map_or("", String::as_str);
        format!("{}:1: no `mod {name};` names this file, so it is not compiled and its tests never run", source.file)
    });
    hidden.chain(lost).collect()
}

/// Files that somebody should split.
pub(super) fn long_files(house: &House) -> Vec<String> {
    let long = |source: &&Source| source.is_product() && source.lines > LONGEST_FILE;
    house
        .sources()
        .filter(long)
        .map(|source| {
            let (file, lines) = (&source.file, source.lines);
            format!(
                "{file}:{}: {lines} lines without tests; split it by type or by verb at {LONGEST_FILE}",
                LONGEST_FILE + 1
            )
        })
        .collect()
}

/// Files whose names do not say what is in them.
pub(super) fn vague_names(house: &House) -> Vec<String> {
    let is_vague = |source: &&Source| {
        let name = source.file.rsplit('/').next().and_then(|name| name.strip_suffix(".rs"));
        name.is_some_and(|name| VAGUE.contains(&name))
    };
    house.sources().filter(is_vague).map(|source| format!("{}:1: name it for what is in it", source.file)).collect()
}

/// Rooms that the table above or the map in the crate's documentation does not know.
pub(super) fn unmapped_rooms(house: &House) -> Vec<String> {
    let mut broken = Vec::new();
    for source in house.sources().filter(|source| source.is_product() && source.module.len() == 1) {
        let room = source.room();
        if floor(room).is_none() {
            broken.push(format!("{}:1: the room `{room}` has no floor: enter it in tests/floors/law.rs", source.file));
        }
        if room != "main" && !house.map().contains(&format!("`{room}`")) {
            broken.push(format!("{}:1: the room `{room}` is not on the map in src/lib.rs", source.file));
        }
    }
    broken
}

/// All imports that count, in the order of files and lines.
fn imports(house: &House) -> impl Iterator<Item = (&Source, &Import)> {
    let product = house.sources().filter(|source| source.is_product() && !source.module.is_empty());
    product.flat_map(|source| source.imports.iter().map(move |import| (source, import)))
}

/// Circles among edges, each with its place: one line a circle, the shortest first. No two share an edge, so that
/// one import in the wrong direction makes one line and not a line for each way around it.
fn circles<'a>(edges: impl Iterator<Item = (&'a str, &'a str, String)>) -> Vec<String> {
    let mut graph: Graph = BTreeMap::new();
    for (from, to, place) in edges {
        graph.entry(from).or_default().entry(to).or_insert(place);
    }
    let mut broken = Vec::new();
    while let Some(circle) = shortest_circle(&graph) {
        let steps = circle.iter().zip(circle.iter().cycle().skip(1));
        let places: Vec<_> = steps.filter_map(|(from, to)| graph.get_mut(from)?.remove(to)).collect();
        let others = places[1..].join(", ");
        broken.push(format!("{}: a circle: {} -> {}, closed by {others}", places[0], circle.join(" -> "), circle[0]));
    }
    broken
}

/// Who imports whom, and where for the first time.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, String>>;

fn shortest_circle<'a>(graph: &Graph<'a>) -> Option<Vec<&'a str>> {
    let edges = graph.iter().flat_map(|(from, to)| to.keys().map(move |to| (*from, *to)));
    edges.filter_map(|(from, to)| circle_through(graph, from, to)).min_by_key(|circle| (circle.len(), circle.clone()))
}

/// The shortest way from `to` back to `from`, as a circle that begins with its first name.
fn circle_through<'a>(graph: &Graph<'a>, from: &'a str, to: &'a str) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::from([to]);
    let mut ways = VecDeque::from([vec![to]]);
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        if last == from {
            let first = way.iter().enumerate().min_by_key(|(_, name)| **name).map_or(0, |(at, _)| at);
            return Some(way[first..].iter().chain(&way[..first]).copied().collect());
        }
        for next in graph.get(last).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(next) {
                ways.push_back(way.iter().copied().chain([*next]).collect());
            }
        }
    }
    None
}
