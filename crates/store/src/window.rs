//! The part of a long list that is asked for.

/// The part of a long list that is asked for. The order is the list's own and does not change between two windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many entries are skipped.
    pub offset: u32,
    /// How many are given at most.
    pub limit: u32,
}

impl Window {
    /// Everything, where the list is known to be short.
    pub const ALL: Self = Self { offset: 0, limit: u32::MAX };
}
