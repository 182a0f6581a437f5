//! Runbooks: a page for each event in the life of a system, with the calls in their order.
//!
//! - [`revoke_a_person`]: a person is to read no more;
//! - [`rotate_a_compartment`]: a compartment moves to a new key;
//! - [`a_rotation_does_not_finish`]: a rotation does not finish;
//! - [`a_new_month`]: the month turns;
//! - [`a_referral`]: a referral begins, and ends;
//! - [`a_device_is_lost`]: a device is lost;
//! - [`an_owner_comes_back`]: an owner comes back;
//! - [`a_guardian_leaves`]: a guardian leaves;
//! - [`majority`]: a guardian until majority;
//! - [`an_executor`]: an executor, after death;
//! - [`a_user_key_is_stolen`]: a clinician's keys are stolen;
//! - [`an_authority_rotates`]: an authority's master key rotates;
//! - [`a_member_leaves`]: a member leaves;
//! - [`a_backup_comes_back`]: a backup comes back;
//! - [`a_patient_is_erased`]: a patient is erased.

#[doc = include_str!("runbooks/revoke_a_person.md")]
pub mod revoke_a_person {}

#[doc = include_str!("runbooks/rotate_a_compartment.md")]
pub mod rotate_a_compartment {}

#[doc = include_str!("runbooks/a_rotation_does_not_finish.md")]
pub mod a_rotation_does_not_finish {}

#[doc = include_str!("runbooks/a_new_month.md")]
pub mod a_new_month {}

#[doc = include_str!("runbooks/a_referral.md")]
pub mod a_referral {}

#[doc = include_str!("runbooks/a_device_is_lost.md")]
pub mod a_device_is_lost {}

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

#[doc = include_str!("runbooks/an_authority_rotates.md")]
pub mod an_authority_rotates {}

#[doc = include_str!("runbooks/a_member_leaves.md")]
pub mod a_member_leaves {}

#[doc = include_str!("runbooks/a_backup_comes_back.md")]
pub mod a_backup_comes_back {}

#[doc = include_str!("runbooks/a_patient_is_erased.md")]
pub mod a_patient_is_erased {}
