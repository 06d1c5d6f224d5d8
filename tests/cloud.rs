//! The strict cloud of the kitchen is itself tested: other tests are worth no more than it is.

use crate::kitchen::cloud::Amazon;

#[test]
fn it_starts() {
    let amazon = Amazon::start(&["eu-west-1"]);
    assert!(amazon.base("eu-west-1", "arm64").starts_with("ami-"));
    assert_eq!(amazon.left(), [""; 0]);
}
