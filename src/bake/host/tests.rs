mod bake;
mod boot_test;
mod converge;
mod faults;
mod prune;
mod sweep;
