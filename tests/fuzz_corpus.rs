//! Every file that a fuzzer kept is put through its target again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use std::fs;
use std::path::Path;

#[path = "../fuzz/targets.rs"]
mod targets;

/// Runs all inputs of a corpus. One that takes valid ones only, or none, would leave half of the decoder untried.
fn replay(target: fn(&[u8]) -> bool, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut taken = 0;
    let mut refused = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        // The name of the file that fails is in the output of a failed test.
        println!("{}", path.display());
        if target(&fs::read(&path).unwrap()) { taken += 1 } else { refused += 1 }
    }
    assert!(taken > 0, "no input of `{name}` is valid");
    assert!(refused > 0, "every input of `{name}` is valid");
}

macro_rules! corpora {
    ($($(#[$attribute:meta])* $name:ident)*) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                replay(targets::$name, stringify!($name));
            }
        )*

        /// The folders of corpora without a test above, and the other way about.
        #[test]
        fn each_corpus_is_replayed_and_each_fuzzer_has_one() {
            let expected = std::collections::BTreeSet::from([$(stringify!($name).to_owned()),*]);
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
            for (folder, extension) in [("corpus", ""), ("fuzz_targets", ".rs")] {
                let names = fs::read_dir(fuzz.join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
                let names = names.map(|name| name.into_string().unwrap().trim_end_matches(extension).to_owned());
                assert_eq!(names.collect::<std::collections::BTreeSet<_>>(), expected, "{folder}");
            }
        }
    };
}

corpora! {
    policy_text
    attributes_text
    access_tree
    kept
    segments
    stored
    leaf
    life
    terms
    field_path
    public_parameters
    master_key
    user_key
    capsule
    statements
    consent
    secrets
    record_json
    record_cbor
    #[cfg(feature = "fhir")] fhir_resource
    #[cfg(feature = "fhir")] fhir_bundle
}
