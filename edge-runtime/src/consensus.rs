//! Agreement over several frames: one lucky frame never names anybody.
//!
//! ```text
//!   vote: A A B          a second identity -> the window is emptied, the conflict counts as a miss
//!   vote: A . A . A      3 of the last 5 say A, nobody else is named -> agreed on A
//!   vote: . . . . .      5 misses and no agreement -> unknown
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How much agreement a name needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsensusRules {
    /// Votes for one identity that make it agreed on, at least 1.
    pub agreeing_frames: usize,
    /// The latest votes among which they are counted, at least `agreeing_frames`.
    pub window_frames: usize,
    /// Misses (no match, or a conflict) without agreement after which a person counts as unknown, at least 1.
    pub missing_frames: usize,
    /// Age in milliseconds after which a vote no longer counts.
    pub window_ms: u64,
}

impl Default for ConsensusRules {
    fn default() -> Self {
        Self {
            agreeing_frames: 3,
            window_frames: 5,
            missing_frames: 5,
            window_ms: 3000,
        }
    }
}

/// What the votes so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<Id> {
    /// Too few votes to say.
    Undecided,
    /// Enough of the latest votes name this identity, and none of them another.
    Agreed(Id),
    /// Enough votes, and no identity was agreed on.
    Unknown,
}

/// The latest votes about one person in front of the camera.
#[derive(Clone, Debug)]
pub struct Consensus<Id> {
    rules: ConsensusRules,
    window: VecDeque<(Timestamp, Option<Id>)>,
    misses: usize,
}

impl<Id: Clone + PartialEq> Consensus<Id> {
    /// A consensus without votes.
    pub fn new(rules: ConsensusRules) -> Self {
        Self {
            rules,
            window: VecDeque::new(),
            misses: 0,
        }
    }

    /// Forgets all votes; called when another person may stand in front of the camera.
    pub fn clear(&mut self) {
        self.window.clear();
        self.misses = 0;
    }

    /// Adds one frame's vote: the matched identity, or `None` when nobody matched.
    pub fn vote(&mut self, now: Timestamp, vote: Option<Id>) -> Verdict<Id> {
        let oldest = Duration::from_millis(self.rules.window_ms);
        self.window.retain(|(at, _)| now.since(*at) <= oldest);
        let conflict = vote.is_some()
            && self
                .named()
                .is_some_and(|named| Some(named) != vote.as_ref());
        if conflict {
            self.window.clear();
        }
        if conflict || vote.is_none() {
            self.misses += 1;
        }
        self.window.push_back((now, vote));
        while self.window.len() > self.rules.window_frames {
            self.window.pop_front();
        }
        match self.named().cloned() {
            Some(named) if self.agreeing() >= self.rules.agreeing_frames => {
                self.misses = 0;
                Verdict::Agreed(named)
            }
            _ if self.misses >= self.rules.missing_frames => Verdict::Unknown,
            _ => Verdict::Undecided,
        }
    }

    /// How far the current votes are towards agreement or towards giving up, whichever is nearer; 0 to 1.
    pub fn progress(&self) -> f32 {
        let agreed = self.agreeing() as f32 / self.rules.agreeing_frames as f32;
        let missed = self.misses as f32 / self.rules.missing_frames as f32;
        agreed.max(missed).min(1.0)
    }

    /// The one identity that the window names; a conflict empties the window, so there is never a second.
    fn named(&self) -> Option<&Id> {
        self.window.iter().find_map(|(_, vote)| vote.as_ref())
    }

    fn agreeing(&self) -> usize {
        self.window
            .iter()
            .filter(|(_, vote)| vote.is_some())
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Votes 100 ms apart, one letter each: `.` is no match. Returns one letter per verdict:
    /// `-` undecided, `?` unknown, else the identity agreed on.
    fn verdicts(votes: &str) -> String {
        let mut consensus = Consensus::new(ConsensusRules::default());
        votes
            .chars()
            .enumerate()
            .map(|(frame, vote)| {
                let now = Timestamp::from_millis(frame as u64 * 100);
                match consensus.vote(now, (vote != '.').then_some(vote)) {
                    Verdict::Undecided => '-',
                    Verdict::Unknown => '?',
                    Verdict::Agreed(identity) => identity,
                }
            })
            .collect()
    }

    #[test]
    fn tables_of_votes() {
        for (name, votes, expected) in [
            ("three in a row", "AAA", "--A"),
            ("three of five", "A.A.A", "----A"),
            ("three of six are too thin", "A..A.A", "------"),
            ("one lucky frame", "..A......", "-----????"),
            ("two lucky frames", "AA.....", "------?"),
            ("a second identity empties the window", "AABAA", "-----"),
            ("two near identities in turn", "ABABABABAB", "-----?????"),
            (
                "two near identities, two by two",
                "AABBAABBAABBAABB",
                "----------??????",
            ),
            ("known after a poor start", "....AAA", "------A"),
            ("known after having been unknown", ".....AAA", "----???A"),
            ("agreement holds through a miss", "AAA.A..", "--AAAA-"),
        ] {
            assert_eq!(verdicts(votes), expected, "{name}: {votes}");
        }
    }

    #[test]
    fn old_votes_do_not_count() {
        let mut consensus = Consensus::new(ConsensusRules::default());
        assert_eq!(
            consensus.vote(Timestamp::from_millis(0), Some('A')),
            Verdict::Undecided
        );
        assert_eq!(
            consensus.vote(Timestamp::from_millis(100), Some('A')),
            Verdict::Undecided
        );
        assert_eq!(
            consensus.vote(Timestamp::from_millis(3200), Some('A')),
            Verdict::Undecided
        );
        assert_eq!(
            consensus.vote(Timestamp::from_millis(3300), Some('A')),
            Verdict::Undecided
        );
        assert_eq!(
            consensus.vote(Timestamp::from_millis(3400), Some('A')),
            Verdict::Agreed('A')
        );
    }

    #[test]
    fn progress_follows_the_nearer_end() {
        let mut consensus = Consensus::new(ConsensusRules::default());
        assert_eq!(consensus.progress(), 0.0);
        consensus.vote(Timestamp::default(), Some('A'));
        assert_eq!(consensus.progress(), 1.0 / 3.0);
        consensus.vote(Timestamp::default(), None);
        consensus.vote(Timestamp::default(), None);
        assert_eq!(consensus.progress(), 0.4);
    }
}
