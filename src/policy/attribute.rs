//! Attributes.

pub(crate) fn is_label(label: &str) -> bool {
    !label.is_empty()
}
pub(crate) fn is_value(_value: &str) -> bool {
    true
}
