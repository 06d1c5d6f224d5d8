//! What may be asked of `elkbake verify`.

use clap::Args;

/// Prove that what is recorded is there, or that images can be built again, byte for byte
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake verify                          # what the records name is there
  elkbake verify --target prod elasticsearch
  elkbake verify --history                # and what was current before
  elkbake verify --rebuild                # all images are built again
  elkbake verify --rebuild elasticsearch  # one of them
  elkbake verify --rebuild --record-nondeterminism  # and the records say what does not come out the same
  elkbake verify --rebuild --json | jq '.verified[] | select(.same | not)'

Without --rebuild every record of a target is held against the registry: the tag names the recorded digest, all documents and blobs are there, and, in ECR, nobody can move the tag. In a folder all bytes are read. Of a host every AMI is in its region, available, with the key's tag and the snapshots that are recorded; where it is shared is made to hold by each push, and no record says it.

With --rebuild each image is built once more in an empty store, from its recipe, lock and files alone. Inputs come from the store or from where the lock says, verified by their digests; nothing that an earlier build made is used, and what the lock says of the files of its base is not believed but read. The digest has to be that of what was built before, or of what the manifest records under the same key. Where it is not, the first layer, entry and field that differ are told. In both cases the exit code is 1 where something is not as it should be.

With --record-nondeterminism the manifests of all targets that record such an image note in `nondeterminism` where it differs, for whoever deploys it; commit them. `elkbake verify` warns of it from then on.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person may type")]
pub(in crate::cli) struct VerifyArgs {
    /// Recipes by name; all where none is named
    pub(super) recipes: Vec<String>,
    /// A target of elkbake.toml, once for each; the project's default where none is named
    #[arg(short, long = "target", value_name = "NAME", conflicts_with = "rebuild")]
    pub(super) targets: Vec<String>,
    /// Also what was current before
    #[arg(long, conflicts_with = "rebuild")]
    pub(super) history: bool,
    /// Build them again and compare
    #[arg(long)]
    pub(super) rebuild: bool,
    /// With --rebuild: note in the records of what does not come out the same that it does not, and where
    #[arg(long, requires = "rebuild")]
    pub(super) record_nondeterminism: bool,
    /// Open no connection to another machine; what is not at hand is an error
    #[arg(long)]
    pub(super) offline: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}
