//! map
pub mod bake;
pub mod digest;
pub mod finding;
pub mod local;
pub mod lock;
pub mod name;
pub mod recipe;
pub mod remote;
pub mod store;
pub mod text;
pub mod tree;
