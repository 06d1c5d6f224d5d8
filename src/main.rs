//! The program: its exit code, and nothing else.

fn main() {}
