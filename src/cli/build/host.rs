//! What `elkbake build` makes of a host's recipe: its user data.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use crate::ami::user_data::MOST;
use crate::aside;
use crate::bake::documents::{self, Document, Documents, DocumentsError};
use crate::cli::check;
use crate::cli::failure::Failure;
use crate::cli::planner::Planner;
use crate::cli::size::bytes;
use crate::cli::ui::{Paint, Ui};
use crate::name::{RecipeName, Tag};
use crate::recipe::{Engine, Recipe};
use crate::store::Store;

/// How much of what is in a document is shown.
const SHOWN: usize = 8;

/// A host whose documents are in the store.
pub(super) struct Host {
    name: RecipeName,
    tag: Tag,
    engine: Engine,
    documents: Documents,
    was_there: bool,
    seconds: f64,
    outputs: Vec<String>,
}

/// Where the user data of hosts is wanted.
pub(super) struct Wanted<'w> {
    /// Files, by what was typed.
    pub(super) files: Vec<PathBuf>,
    /// From where these are reckoned.
    pub(super) folder: &'w Path,
    /// The cluster of ECS that hosts join.
    pub(super) cluster: Option<&'w str>,
}

/// Makes the documents of a host, and writes what its hosts are started with to files.
pub(super) fn build(planner: &Planner<'_>, name: &RecipeName, wanted: &Wanted<'_>) -> Result<Host, Failure> {
    let start = Instant::now();
    let mut line = planner.line(name)?;
    let planned = line.pop().ok_or_else(|| Failure::input("there is nothing to build"))?;
    let Recipe::Ami(ami) = &planned.loaded.recipe.value else {
        return Err(Failure::input(format!("{name} is the recipe of a container image, not of a host")));
    };
    let order = planned.documents(ami, &planner.workspace.root);
    let stored = planner.world.stored();
    let kept = stored.map(|store| documents::kept(&order, store)).transpose()?.flatten();
    let was_there = kept.is_some();
    let documents = match kept {
        Some(kept) => kept,
        None => {
            check::refuse_errors(planner.workspace, &planned.loaded)?;
            documents::make(&order, planner.world.open()?.store())?
        }
    };
    needed(name, &documents, ami.engine)?;
    let mut outputs = Vec::new();
    if !wanted.files.is_empty() {
        let document = needed(name, &documents, Engine::UserData)?;
        let data = match (wanted.cluster, stored) {
            (Some(cluster), _) => documents::for_cluster(&order, cluster)?.bytes().to_vec(),
            (None, Some(store)) => read(document, store)?,
            (None, None) => read(document, planner.world.open()?.store())?,
        };
        for path in &wanted.files {
            write(&data, &wanted.folder.join(path))?;
            outputs.push(format!("user-data:{}", path.display()));
        }
    }
    let (name, tag, seconds) = (name.clone(), planned.plan.tag().clone(), start.elapsed().as_secs_f64());
    Ok(Host { name, tag, engine: ami.engine, documents, was_there, seconds, outputs })
}

/// The document of a way of delivery, which has to be one.
fn needed<'d>(name: &RecipeName, documents: &'d Documents, engine: Engine) -> Result<&'d Document, Failure> {
    let fail = |why: &str| Failure::input(format!("recipe {name}: {why}"));
    let document = documents.of(engine).ok_or_else(|| fail(&format!("there is no user data for {engine}")))?;
    match &document.problem {
        None => Ok(document),
        Some(problem) if document.items.is_empty() => Err(fail(problem)
            .hint("bake an image with `engine = \"instance\"`, or do it by a package, or by a unit among the files")),
        Some(problem) => Err(fail(problem)
            .hint("put large files into a package and name that in [[package]]: only its address is in the user data")),
    }
}

fn read(document: &Document, store: &Store) -> Result<Vec<u8>, Failure> {
    let gone = || Failure::input("the user data is not in the store any more").hint("build it once more");
    document.bytes(store)?.ok_or_else(gone)
}

fn write(data: &[u8], path: &Path) -> Result<(), Failure> {
    let made = aside::begin(aside::folder_of(path), ".elkbake-")
        .and_then(|mut file| file.write_all(data).map(|()| file))
        .and_then(|file| aside::settle(file, path));
    made.map_err(|error| Failure::file("cannot write", path, &error))
}

impl Host {
    /// For people.
    pub(super) fn text(&self, ui: &Ui) -> String {
        let did = if self.was_there { "was there".to_owned() } else { format!("built in {:.1} s", self.seconds) };
        let (name, tag) = (ui.paint(Paint::Bold, self.name.as_str()), ui.paint(Paint::Green, self.tag.as_str()));
        let mut text = format!("{name} {tag} {} ({did})\n", self.documents.key);
        for document in &self.documents.documents {
            text += &document_text(document, document.engine == self.engine);
        }
        for output in &self.outputs {
            text += &format!("  written to {output}\n");
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> serde_json::Value {
        json!({
            "recipe": self.name,
            "kind": "ami",
            "tag": self.tag,
            "key": self.documents.key,
            "engine": self.engine,
            "was_there": self.was_there,
            "outputs": self.outputs,
            "most": MOST,
            "documents": self.documents.documents,
        })
    }
}

/// A document with what is in it; of one that the recipe does not use, no more than its size.
fn document_text(document: &Document, is_used: bool) -> String {
    let of = match document.engine {
        Engine::Instance => "for the instance that becomes an image",
        Engine::UserData => "for hosts from the stock image",
    };
    if let Some(problem) = &document.problem {
        return format!("  {of}: none: {problem}\n");
    }
    let Document { size, plain, .. } = document;
    let (percent, plain) = (size * 100 / MOST, bytes(*plain as u64));
    let mut text = format!("  {of}: user data of {size} bytes, {percent} % of what EC2 takes; {plain} before gzip\n");
    if is_used {
        for item in document.items.iter().take(SHOWN) {
            text += &format!("    {:>6}  {}\n", item.share, item.name);
        }
        let rest = document.items.iter().skip(SHOWN);
        let (count, sum) = (rest.clone().count(), rest.map(|item| item.share).sum::<usize>());
        if count > 0 {
            text += &format!("    {sum:>6}  {count} more\n");
        }
    }
    text
}

impl From<DocumentsError> for Failure {
    fn from(error: DocumentsError) -> Self {
        match error {
            DocumentsError::Store(error) => error.into(),
            DocumentsError::Tuning(_) | DocumentsError::UserData(_) => Self::input(error),
        }
    }
}
