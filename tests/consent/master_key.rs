//! A custodian whose master key comes from the environment, in a process of its own: the environment is everybody's.

use chartseal::consent::{Custodian, MASTER_KEY, MasterKeyCustodian};
use chartseal::{Error, Unknown};

use crate::support::waiting::Again;

#[test]
fn a_master_key_from_the_environment_gives_its_custodian() {
    if let Ok(expected) = std::env::var("EXPECTED") {
        let custodian = MasterKeyCustodian::from_env("keeper".parse().unwrap());
        let said = custodian.map_or_else(|error| format!("{error:?}"), |custodian| format!("{:?}", custodian.public()));
        assert_eq!(said, expected);
        return;
    }
    let master = chartseal::Secret::build(|bytes: &mut [u8; 32]| bytes.fill(7));
    let keeper = MasterKeyCustodian::new("keeper".parse().unwrap(), &master).unwrap();
    let keeper = format!("{:?}", keeper.public());
    let error = |error: Error| format!("{error:?}");
    let cases = [
        (Some("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"), keeper),
        (Some("BwcH"), error(Error::Malformed("master key"))),
        (None, error(Error::Unknown(Unknown::MasterKey))),
    ];
    for (text, expected) in cases {
        let test = concat!(module_path!(), "::a_master_key_from_the_environment_gives_its_custodian");
        let again = Again::start(test, |command| {
            command.env("EXPECTED", &expected);
            match text {
                Some(text) => command.env(MASTER_KEY, text),
                None => command.env_remove(MASTER_KEY),
            };
        });
        assert!(again.passed(), "{text:?}: not {expected}");
    }
}
