//! FireLens: which container routes the logs of the others.

use std::collections::BTreeMap;

use super::document::Firelens;
use crate::export::fault::ExportError;
use crate::name::RecipeName;
use crate::recipe::Product;
use crate::record::Record;

/// The name of the file that is included by what the ECS agent generates. What is baked at the place of the generated
/// file itself is hidden by it.
const INCLUDED: &str = "/extra.conf";

pub(super) fn is_router(record: &Record) -> bool {
    record.product == Some(Product::FluentBit)
}

/// The one that routes. ECS takes one in a task.
pub(super) fn of<'m>(images: &[(&'m RecipeName, &'m Record)]) -> Result<Option<&'m RecipeName>, ExportError> {
    let mut routers = images.iter().filter(|(_, record)| is_router(record)).map(|(recipe, _)| *recipe);
    match (routers.next(), routers.next()) {
        (Some(a), Some(b)) => {
            let why = "a task has one log router".to_owned();
            Err(ExportError::Apart { a: a.clone(), b: b.clone(), why })
        }
        (first, _) => Ok(first),
    }
}

/// What FireLens is told of the router.
pub(super) fn configuration(recipe: &RecipeName, record: &Record, remarks: &mut Vec<String>) -> Firelens {
    let files = record.inputs.keys().filter_map(|input| input.strip_prefix("file "));
    let file = files.filter(|file| file.ends_with(INCLUDED)).min_by_key(|file| file.len());
    let options = match file {
        Some(file) => BTreeMap::from([("config-file-type", "file".to_owned()), ("config-file-value", file.to_owned())]),
        None => {
            remarks.push(format!(
                "{recipe} has no file of its own called extra.conf, so its firelensConfiguration names none: \
                 say what it sends where in the options of each logConfiguration"
            ));
            BTreeMap::new()
        }
    };
    Firelens { kind: "fluentbit", options }
}
