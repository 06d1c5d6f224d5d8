//! elkbake bakes the images that an Elastic stack runs on in AWS ECS: container images, and the host AMI under
//! them. A recipe says what goes in; it is resolved to a lock, and from both follow a plan, a key and a tag.
//!
//! # The floors
//!
//! Imports run down the floors, or sideways without circles, never up; only `cli` may join `remote` to the
//! rest. `tests/floors.rs` reads the sources and holds this law, and every room has its line here.
//!
//! | floor | room | what is in it |
//! |---|---|---|
//! | STREET | [`cli`] | people: commands, printing, exit codes; it alone reads environment and clock |
//! | | [`remote`] | the world: HTTP, registries, AWS, container engines; the only sockets, and the only async code |
//! | ROAD | [`bake`] | the order of the steps, what they tell on the way, and the ports through which they reach the world |
//! | HANDS | [`store`] | blobs by digest and results by key, on disk |
//! | | [`local`] | a recipe's own files, read from the checkout |
//! | | [`image`] | OCI documents, layers as bytes, what a layer holds and what lies below one |
//! | | [`unpack`] | zip, tar and gem files from anywhere, read with suspicion |
//! | | [`aside`] | files that take their place whole, and folders that one run at a time changes |
//! | | [`contents`] | where the bytes of a tree's files can be read |
//! | | [`product`] | what each program demands of its files: rules, as findings |
//! | | [`ami`] | the same for hosts |
//! | PAPER | [`plan`] | recipe, lock and files make a plan with key and tag; what does not fit together is refused |
//! | | [`lock`] | what the inputs of a recipe resolved to |
//! | | [`recipe`] | what a person writes: one image or one AMI |
//! | | [`record`] | the deploy manifest that was written of earlier bakes |
//! | | [`export`] | the deploy manifest in the words of the tools that deploy |
//! | | [`project`] | `elkbake.toml`: targets, mirrors, defaults |
//! | GROUND | [`tree`] | which files lie where, without their bytes |
//! | | [`name`] | names, references and paths, one strict parser each |
//! | | [`digest`] | content is named by its SHA-256; the reader that verifies it |
//! | | [`text`] | strict reading of TOML: every mistake, each at its place |
//! | | [`moment`] | points in time, in whole seconds |
//! | | [`finding`] | what a check has to say |
//! | | [`parallel`] | the same work on many things at once |
//!
//! The core is blocking and silent: no printing, no environment, no clock, no home directory below `cli`; time
//! comes in as a value.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | recipe | a TOML file under `recipes/`: one image or one AMI |
//! | lock | the file beside it that pins every input by digest |
//! | key | SHA-256 over recipe, lock, local files and format number: known before any work is done |
//! | store | the local cache: blobs by digest, and an index from keys to results |
//! | image | a container image, never an AMI |
//! | smoke test | an image started as ECS would start it, looked at and stopped |
//! | probe | the program by which a smoke test reaches the network of its containers |
//! | finding | what a check found: a code, a severity, a place, why, and what to do |

pub mod ami;
pub mod aside;
pub mod bake;
pub mod cli;
pub mod contents;
pub mod digest;
pub mod export;
pub mod finding;
pub mod image;
pub mod local;
pub mod lock;
pub mod moment;
pub mod name;
pub mod parallel;
pub mod plan;
pub mod product;
pub mod project;
pub mod recipe;
pub mod record;
pub mod remote;
pub mod store;
pub mod text;
pub mod tree;
pub mod unpack;
