//! The user data that a host's recipe comes to, made once for a key and kept in the store.

use std::path::Path;

use crate::ami::delivery::{self, Delivery};
use crate::ami::user_data::{Item, MOST, UserData, UserDataError};
use crate::ami::{Identity, Tuning, TuningError};
use crate::digest::{Digest, Hasher};
use crate::local::Local;
use crate::plan::Plan;
use crate::recipe::{AmiRecipe, Engine, Recipe};
use crate::store::{Store, StoreError};
use crate::text;

/// What of a recipe is in its user data and not in its key.
const BESIDE_THE_KEY: [&str; 2] = ["bake", "test"];

/// A host whose user data is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Order<'o> {
    /// What follows from the recipe.
    pub plan: &'o Plan,
    /// The recipe, as it was read.
    pub recipe: &'o text::Document<Recipe>,
    /// What it says.
    pub ami: &'o AmiRecipe,
    /// Its own files.
    pub local: &'o Local,
    /// The project's folder, where these are.
    pub project: &'o Path,
}

/// All documents of a host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Documents {
    /// The key that they were made by.
    pub key: Digest,
    /// What else they were made of.
    beside: Digest,
    /// For each way of delivery its document.
    pub documents: Vec<Document>,
}

/// One of them, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Document {
    /// The way of delivery: `user-data` is for hosts, `instance` for the instance that becomes an image.
    pub engine: Engine,
    /// Its bytes in the store.
    pub digest: Option<Digest>,
    /// How many they are.
    pub size: usize,
    /// How many they are before they are compressed.
    pub plain: usize,
    /// What is in it, the largest first.
    pub items: Vec<Item>,
    /// Why it is none.
    pub problem: Option<String>,
}

/// Why there are no documents.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// The tuning's files cannot be put together.
    #[error(transparent)]
    Tuning(#[from] TuningError),
    /// A file of the recipe cannot be read.
    #[error(transparent)]
    UserData(#[from] UserDataError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Documents {
    /// The document of a way of delivery.
    #[must_use]
    pub fn of(&self, engine: Engine) -> Option<&Document> {
        self.documents.iter().find(|document| document.engine == engine)
    }
}

impl Document {
    /// The bytes, where there are any and the store still has them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn bytes(&self, store: &Store) -> Result<Option<Vec<u8>>, StoreError> {
        self.digest.map_or(Ok(None), |digest| store.bytes(&digest, MOST as u64))
    }
}

impl Order<'_> {
    /// The files of the host.
    ///
    /// # Errors
    /// When one of the recipe's own files takes the place of one of elkbake's.
    pub fn tuning(&self) -> Result<Tuning, TuningError> {
        let identity = Identity {
            recipe: self.plan.name(),
            version: &self.ami.version,
            tag: self.plan.tag(),
            key: self.plan.key(),
        };
        Tuning::of(self.ami, self.local, self.project, &identity)
    }

    fn beside(&self) -> Digest {
        let mut hasher = Hasher::default();
        hasher.update(delivery::programs().as_bytes());
        for (key, json) in &self.recipe.canonical {
            if BESIDE_THE_KEY.contains(&key.split('.').next().unwrap_or_default()) {
                hasher.update(format!("\n{key}\n{json}").as_bytes());
            }
        }
        hasher.finish().0
    }
}

/// The documents of a host as the store has them.
///
/// # Errors
/// When the store cannot be read.
pub fn kept(order: &Order<'_>, store: &Store) -> Result<Option<Documents>, StoreError> {
    let kept = store.result::<Documents>(&order.plan.key())?;
    Ok(kept.filter(|kept| kept.beside == order.beside()))
}

/// Makes the documents of a host and keeps them.
///
/// # Errors
/// When one of the recipe's files cannot be read, or the store not be changed. That a document is too big, or that there
/// can be none, is said in its place.
pub fn make(order: &Order<'_>, store: &Store) -> Result<Documents, DocumentsError> {
    let tuning = order.tuning()?;
    let delivery = Delivery { ami: order.ami, tuning: &tuning, key: order.plan.key() };
    let documents =
        vec![document(Engine::Instance, delivery.bake(), store)?, document(Engine::UserData, delivery.host(), store)?];
    let made = Documents { key: order.plan.key(), beside: order.beside(), documents };
    let refers: Vec<_> = made.documents.iter().filter_map(|document| document.digest).collect();
    store.keep(&made.key, &made, &refers)?;
    Ok(made)
}

/// The user data of hosts that join a cluster of ECS. It is not kept: what is kept is by the key, which knows of no cluster.
///
/// # Errors
/// When one of the recipe's files cannot be read, there can be none, or it is too big.
pub fn for_cluster(order: &Order<'_>, cluster: &str) -> Result<UserData, DocumentsError> {
    let tuning = order.tuning()?;
    let delivery = Delivery { ami: order.ami, tuning: &tuning, key: order.plan.key() };
    Ok(delivery.host_in(Some(cluster))?)
}

fn document(engine: Engine, made: Result<UserData, UserDataError>, store: &Store) -> Result<Document, DocumentsError> {
    match made {
        Ok(data) => {
            let (digest, _) = store.put(&mut &data.bytes()[..], None)?;
            let (size, plain, items) = (data.bytes().len(), data.plain(), data.items().to_vec());
            Ok(Document { engine, digest: Some(digest), size, plain, items, problem: None })
        }
        Err(error @ UserDataError::Unreadable(_)) => Err(error.into()),
        Err(error) => {
            let problem = Some(error.to_string());
            let (size, plain, items) = match error {
                UserDataError::TooBig { size, plain, items } => (size, plain, items),
                UserDataError::Run(_) | UserDataError::Unreadable(_) => (0, 0, Vec::new()),
            };
            Ok(Document { engine, digest: None, size, plain, items, problem })
        }
    }
}
