//! The consent that lets a person's templates be kept: without one, nobody is enrolled.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::GalleryError;

/// Longest name of an operator or of a backup, in bytes.
pub const MAX_WORDS_BYTES: usize = 200;

/// A moment by the wall clock: seconds since 1970-01-01 00:00 UTC.
///
/// Whoever acts hands it in; nothing in the gallery asks the system for the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WallTime(u64);

impl WallTime {
    /// Seconds in a day.
    pub const DAY: u64 = 86_400;

    /// The moment this many seconds after 1970-01-01 00:00 UTC.
    pub const fn from_unix_seconds(seconds: u64) -> WallTime {
        WallTime(seconds)
    }

    /// Seconds since 1970-01-01 00:00 UTC.
    pub const fn unix_seconds(self) -> u64 {
        self.0
    }

    /// In the words of RFC 3339, in UTC: "2026-11-24T09:30:00Z". Beyond the year 9999 it is that year's end.
    pub fn to_rfc3339(self) -> String {
        let last = Self::LAST_WRITTEN.min(self.0);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(last);
        humantime::format_rfc3339_seconds(time).to_string()
    }

    /// What [`WallTime::to_rfc3339`] wrote; none when the text says no time since 1970 in whole seconds of UTC.
    pub fn from_rfc3339(text: &str) -> Option<WallTime> {
        let time = humantime::parse_rfc3339(text).ok()?;
        let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        (since.subsec_nanos() == 0).then_some(WallTime(since.as_secs()))
    }

    /// 9999-12-31 23:59:59 UTC.
    const LAST_WRITTEN: u64 = 253_402_300_799;

    /// The moment this many days later.
    pub const fn plus_days(self, days: u64) -> WallTime {
        WallTime(self.0.saturating_add(days.saturating_mul(Self::DAY)))
    }
}

/// What a person agreed to, when, before whom, and until when.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    text_sha256: [u8; 32],
    given_at: WallTime,
    operator: String,
    expires_at: WallTime,
}

impl Consent {
    /// The record of a consent to `text`, given at `given_at` before `operator` for `days` days.
    ///
    /// The gallery keeps the text's SHA-256, not the text: keep the text itself.
    ///
    /// # Errors
    /// [`GalleryError::Consent`] when the text is empty, the operator is empty or longer than
    /// [`MAX_WORDS_BYTES`], or the consent would not last a day.
    pub fn given(
        text: &str,
        given_at: WallTime,
        operator: &str,
        days: u64,
    ) -> Result<Consent, GalleryError> {
        let refuse = |found: &str| {
            Err(GalleryError::Consent {
                found: found.to_owned(),
            })
        };
        let operator = operator.trim();
        if text.trim().is_empty() {
            return refuse("an empty text");
        }
        if operator.is_empty() || operator.len() > MAX_WORDS_BYTES {
            return refuse("no name of an operator, or one that is too long");
        }
        if days == 0 {
            return refuse("0 days");
        }
        Ok(Consent {
            text_sha256: Sha256::digest(text.as_bytes()).into(),
            given_at,
            operator: operator.to_owned(),
            expires_at: given_at.plus_days(days),
        })
    }

    /// A consent as another gallery recorded it, for a person who comes from there.
    ///
    /// # Errors
    /// [`GalleryError::Consent`] when no enrollment would have recorded it.
    pub fn as_recorded(
        text_sha256: [u8; 32],
        given_at: WallTime,
        operator: &str,
        expires_at: WallTime,
    ) -> Result<Consent, GalleryError> {
        let consent = Consent {
            text_sha256,
            given_at,
            operator: operator.to_owned(),
            expires_at,
        };
        consent.check().map(|()| consent)
    }

    /// SHA-256 of the text that was agreed to, in UTF-8.
    pub fn text_sha256(&self) -> &[u8; 32] {
        &self.text_sha256
    }

    /// When it was given.
    pub fn given_at(&self) -> WallTime {
        self.given_at
    }

    /// Before whom it was given.
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// From when on it no longer holds.
    pub fn expires_at(&self) -> WallTime {
        self.expires_at
    }

    /// Whether it no longer holds.
    pub fn has_expired(&self, now: WallTime) -> bool {
        now >= self.expires_at
    }

    pub(super) fn check(&self) -> Result<(), GalleryError> {
        if self.operator.is_empty()
            || self.operator.len() > MAX_WORDS_BYTES
            || self.expires_at <= self.given_at
        {
            return Err(GalleryError::Consent {
                found: "a record that no enrollment writes".to_owned(),
            });
        }
        Ok(())
    }
}

impl std::fmt::Debug for Consent {
    /// Times alone: the operator is a person too.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Consent({:?} to {:?})", self.given_at, self.expires_at)
    }
}

/// How far ahead of the newest record a clock may be and still be believed.
///
/// A kiosk that is in use writes more often; one that was in a cupboard for longer is asked about
/// by its operator. A clock that fell to 1970 or jumped to 2099 deletes nobody.
pub const MAX_GAP_DAYS: u64 = 60;

/// What a clock says about consents, beside the newest time that the gallery's records know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time is credible.
    Plausible,
    /// It is earlier than a record that was already written, by these seconds.
    Behind(u64),
    /// It is later than the newest record by more than [`MAX_GAP_DAYS`], by these seconds.
    Ahead(u64),
}

impl Clock {
    /// Judges `now` by the newest time on record.
    pub fn judge(now: WallTime, newest_record: WallTime) -> Clock {
        let (now, newest) = (now.0, newest_record.0);
        if now < newest {
            Clock::Behind(newest - now)
        } else if now - newest > MAX_GAP_DAYS * WallTime::DAY {
            Clock::Ahead(now - newest)
        } else {
            Clock::Plausible
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: WallTime = WallTime::from_unix_seconds(1_800_000_000);

    #[test]
    fn holds_until_its_last_second() {
        let consent = Consent::given("I agree.", NOON, " front desk ", 30).unwrap();
        assert_eq!(consent.operator(), "front desk");
        let end = NOON.plus_days(30);
        assert!(!consent.has_expired(WallTime(end.0 - 1)));
        assert!(consent.has_expired(end));
        assert_eq!(consent.text_sha256()[..], Sha256::digest("I agree.")[..]);
    }

    #[test]
    fn times_in_words_and_back() {
        assert_eq!(NOON.to_rfc3339(), "2027-01-15T08:00:00Z");
        for time in [WallTime(0), NOON, WallTime(WallTime::LAST_WRITTEN)] {
            assert_eq!(WallTime::from_rfc3339(&time.to_rfc3339()), Some(time));
        }
        let end = WallTime(u64::MAX).to_rfc3339();
        assert_eq!(end, "9999-12-31T23:59:59Z");
        for text in [
            "",
            "yesterday",
            "2027-01-15",
            "2027-01-15T08:00:00.5Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(WallTime::from_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn a_consent_to_nothing_is_none() {
        for (text, operator, days) in [
            (" ", "desk", 1),
            ("text", "", 1),
            ("text", "desk", 0),
            ("text", &"x".repeat(201), 1),
        ] {
            assert!(Consent::given(text, NOON, operator, days).is_err());
        }
    }

    #[test]
    fn a_clock_that_jumped_is_not_believed() {
        let later = |seconds: i64| WallTime(NOON.0.saturating_add_signed(seconds));
        for (now, expected) in [
            (later(0), Clock::Plausible),
            (later(60 * 86_400), Clock::Plausible),
            (later(60 * 86_400 + 1), Clock::Ahead(60 * 86_400 + 1)),
            (later(-1), Clock::Behind(1)),
        ] {
            assert_eq!(Clock::judge(now, NOON), expected);
        }
    }
}
