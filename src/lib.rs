//! map
pub mod bake;
pub mod digest;
pub mod finding;
pub mod image;
pub mod local;
pub mod lock;
pub mod name;
pub mod plan;
pub mod recipe;
pub mod record;
pub mod store;
pub mod text;
pub mod tree;
