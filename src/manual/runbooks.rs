//! Runbooks: a page for each event in the life of a system, with the calls in their order.
//!
//! - [`a_store_is_set_up`]: a store is set up, with its ledger;
//! - [`grant_or_restrict`]: somebody is to read or write, or fewer are;
//! - [`revoke_a_person`]: a person is to read no more;
//! - [`rotate_a_compartment`]: a compartment moves to a new key;
//! - [`a_rotation_does_not_finish`]: a rotation does not finish;
//! - [`two_devices_at_once`]: two devices made the same version;
//! - [`a_new_month`]: the month turns;
//! - [`a_head_is_due`]: a head is due;
//! - [`a_mandate`]: a mandate begins, and ends; another custodian, or a custodian's key is stolen;
//! - [`a_referral`]: a referral begins, and ends;
//! - [`a_device_is_added`]: a device is added;
//! - [`a_device_is_lost`]: a device is lost;
//! - [`the_root_key_is_stolen`]: the root key is stolen;
//! - [`recovery_is_arranged`]: recovery is arranged;
//! - [`an_owner_comes_back`]: an owner comes back;
//! - [`a_guardian_leaves`]: a guardian leaves, or a printed code is seen;
//! - [`majority`]: a guardian until majority;
//! - [`an_executor`]: an executor, after death;
//! - [`a_user_key_is_stolen`]: a clinician's keys are stolen;
//! - [`an_authority_is_kept`]: an authority is kept in a store, and the store is lost;
//! - [`an_authority_rotates`]: an authority's master key rotates;
//! - [`a_member_leaves`]: a member leaves;
//! - [`a_backup_is_taken`]: a backup is taken;
//! - [`a_backup_comes_back`]: a backup comes back;
//! - [`a_store_is_damaged`]: a store on disk is damaged;
//! - [`the_store_is_lost`]: the store is lost, and there is no backup;
//! - [`the_ledger_is_lost`]: the ledger is lost;
//! - [`a_patient_is_erased`]: a patient is erased;
//! - [`a_clock_was_wrong`]: a clock was ahead when something was signed.

#[doc = include_str!("runbooks/a_store_is_set_up.md")]
pub mod a_store_is_set_up {}

#[doc = include_str!("runbooks/grant_or_restrict.md")]
pub mod grant_or_restrict {}

#[doc = include_str!("runbooks/revoke_a_person.md")]
pub mod revoke_a_person {}

#[doc = include_str!("runbooks/rotate_a_compartment.md")]
pub mod rotate_a_compartment {}

#[doc = include_str!("runbooks/a_rotation_does_not_finish.md")]
pub mod a_rotation_does_not_finish {}

#[doc = include_str!("runbooks/two_devices_at_once.md")]
pub mod two_devices_at_once {}

#[doc = include_str!("runbooks/a_new_month.md")]
pub mod a_new_month {}

#[doc = include_str!("runbooks/a_head_is_due.md")]
pub mod a_head_is_due {}

#[doc = include_str!("runbooks/a_mandate.md")]
pub mod a_mandate {}

#[doc = include_str!("runbooks/a_referral.md")]
pub mod a_referral {}

#[doc = include_str!("runbooks/a_device_is_added.md")]
pub mod a_device_is_added {}

#[doc = include_str!("runbooks/a_device_is_lost.md")]
pub mod a_device_is_lost {}

#[doc = include_str!("runbooks/the_root_key_is_stolen.md")]
pub mod the_root_key_is_stolen {}

#[doc = include_str!("runbooks/recovery_is_arranged.md")]
pub mod recovery_is_arranged {}

#[doc = include_str!("runbooks/an_owner_comes_back.md")]
pub mod an_owner_comes_back {}

#[doc = include_str!("runbooks/a_guardian_leaves.md")]
pub mod a_guardian_leaves {}

#[doc = include_str!("runbooks/majority.md")]
pub mod majority {}

#[doc = include_str!("runbooks/an_executor.md")]
pub mod an_executor {}

#[doc = include_str!("runbooks/a_user_key_is_stolen.md")]
pub mod a_user_key_is_stolen {}

#[doc = include_str!("runbooks/an_authority_is_kept.md")]
pub mod an_authority_is_kept {}

#[doc = include_str!("runbooks/an_authority_rotates.md")]
pub mod an_authority_rotates {}

#[doc = include_str!("runbooks/a_member_leaves.md")]
pub mod a_member_leaves {}

#[doc = include_str!("runbooks/a_backup_is_taken.md")]
pub mod a_backup_is_taken {}

#[doc = include_str!("runbooks/a_backup_comes_back.md")]
pub mod a_backup_comes_back {}

#[doc = include_str!("runbooks/a_store_is_damaged.md")]
pub mod a_store_is_damaged {}

#[doc = include_str!("runbooks/the_store_is_lost.md")]
pub mod the_store_is_lost {}

#[doc = include_str!("runbooks/the_ledger_is_lost.md")]
pub mod the_ledger_is_lost {}

#[doc = include_str!("runbooks/a_patient_is_erased.md")]
pub mod a_patient_is_erased {}

#[doc = include_str!("runbooks/a_clock_was_wrong.md")]
pub mod a_clock_was_wrong {}
