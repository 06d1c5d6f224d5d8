//! ECR, against a strict one on loopback: what it has beside images, and how blobs get there.

mod faults;
mod layers;
mod provision;
mod replication;
mod tokens;
