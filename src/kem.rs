//! KEM
