//! What each verb costs, on disk: calls of the store and of the ledger, bytes that are read, and memory, at three sizes. The
//! manual has the table.
//!
//! It is held against what is measured: at two sizes, and at all three with `CHARTSEAL_COSTS=all`. `CHARTSEAL_COSTS=write`
//! writes it.

mod bases;
mod counted;
mod measures;
mod table;

use std::path::Path;

use crate::support::waiting::Again;
use table::{Row, rows_of};

/// How many sizes are measured, for the process that does it.
const SIZES: &str = "CHARTSEAL_TEST_COSTS";

/// The part of the next test that runs in a process of its own, since all that is in a process counts.
#[test]
fn measures_each_verb() {
    if let Ok(sizes) = std::env::var(SIZES) {
        measures::all(sizes.parse().unwrap());
    }
}

#[test]
fn each_verb_costs_what_the_manual_says_and_no_more_memory_where_that_is_flat() {
    let asked = std::env::var("CHARTSEAL_COSTS").unwrap_or_default();
    let sizes = if asked.is_empty() { "2" } else { "3" };
    let child = Again::start(concat!(module_path!(), "::measures_each_verb"), |command| _ = command.env(SIZES, sizes));
    let lines: Vec<String> = std::iter::from_fn(|| child.line()).collect();
    assert!(lines.iter().any(|line| line.contains("1 passed")), "{lines:?}");
    let measured = rows_of(&lines);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/costs.md");
    let page = std::fs::read_to_string(&path).unwrap();
    if asked == "write" {
        return std::fs::write(path, table::written(&page, &measured)).unwrap();
    }
    let stated = table::read(&page);
    let names = |rows: &[Row]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&stated), names(&measured));
    for (stated, measured) in stated.iter().zip(&measured) {
        stated.holds(measured);
    }
}
