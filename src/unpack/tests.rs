//! What is taken from archives, and what is refused, each with its name.

mod gems;
mod tars;
mod zips;
