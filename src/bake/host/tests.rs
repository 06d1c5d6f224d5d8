mod bake;
mod boot_test;
mod converge;
mod faults;
mod mended;
mod prune;
mod standing;
mod sweep;
