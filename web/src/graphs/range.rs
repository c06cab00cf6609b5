//! How far back.

use berth_proto::v1::Resolution;

use crate::{i18n::Words, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    Hour,
    ThreeDays,
    Month,
}

impl Range {
    pub(crate) const ALL: [Range; 3] = [Range::Hour, Range::ThreeDays, Range::Month];

    pub(crate) fn words(self) -> Words {
        match self {
            Range::Hour => text::last_hour,
            Range::ThreeDays => text::last_three_days,
            Range::Month => text::last_month,
        }
    }

    pub(crate) fn seconds(self) -> u32 {
        match self {
            Range::Hour => 3600,
            Range::ThreeDays => 3 * 86_400,
            Range::Month => 30 * 86_400,
        }
    }

    pub(crate) fn resolution(self) -> Resolution {
        match self {
            Range::Hour => Resolution::Look,
            Range::ThreeDays => Resolution::FiveMinutes,
            Range::Month => Resolution::Hour,
        }
    }

    /// Milliseconds that one point stands for.
    pub(crate) fn every(self) -> f64 {
        match self {
            Range::Hour => 5_000.0,
            Range::ThreeDays => 300_000.0,
            Range::Month => 3_600_000.0,
        }
    }

    /// Nothing heard for so long is a gap. Looks come a little late at times; what is rolled up does not.
    pub(crate) fn gap(self) -> f64 {
        match self {
            Range::Hour => 4.0 * self.every(),
            Range::ThreeDays | Range::Month => 1.5 * self.every(),
        }
    }

    /// Milliseconds between two questions for what is new.
    pub(crate) fn refresh(self) -> u32 {
        match self {
            Range::Hour => 5_000,
            Range::ThreeDays | Range::Month => 300_000,
        }
    }
}
