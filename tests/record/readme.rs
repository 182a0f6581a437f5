//! What the README shows is what the examples run.

#[test]
fn the_first_code_block_of_the_readme_is_the_quickstart_example() {
    let readme = include_str!("../../README.md");
    let example = include_str!("../../examples/quickstart.rs");
    let (_, rest) = readme.split_once("```rust\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let (_, code) = example.split_once("\n\n").unwrap();
    assert_eq!(block, code);
    assert!(example.lines().count() <= 40);
}
