//! One table, in one file, has every label: whoever adds one sees all others.

use super::texts;

#[test]
fn each_label_of_a_derivation_stands_in_the_table_and_nowhere_else() {
    let labels = |text: &str| ["b\"chartseal", "b\"CHARTSEAL"].map(|label| text.matches(label).count()).iter().sum();
    let mut in_the_table = 0_usize;
    for (path, text) in texts("src", "rs") {
        // Tests write them out again.
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        match path.ends_with("src/seal.rs") {
            true => in_the_table = labels(text),
            false => assert_eq!(labels(text), 0_usize, "{}", path.display()),
        }
    }
    assert!(in_the_table > 50, "{in_the_table}");
}
