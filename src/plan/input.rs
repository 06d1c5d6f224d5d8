//! What inputs are called in a key, and so in `plan --why`.

/// The name of the key's format number among the inputs.
pub(super) const FORMAT: &str = "format";

/// The name of the number of what elkbake itself writes into a host.
pub(super) const HOST_FORMAT: &str = "format host";

/// What begins the name of the order of an array of tables.
pub(super) const ORDER: &str = "order ";

/// What begins the name of a file of the recipe's own.
pub(super) const FILE: &str = "file ";

/// What begins the name of what the recipe says.
pub(super) const RECIPE: &str = "recipe";
