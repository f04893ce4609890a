//! Agreement over several frames: one lucky frame never names anybody, and one unlucky one takes no name away.
//!
//! ```text
//!   vote: A A B          a second identity -> the window is emptied, the conflict counts as a miss
//!   vote: A . A . A      3 of the last 5 say A, nobody else is named -> agreed on A
//!   vote: a a a          3 of 5, but of poor faces: agreed when their weights reach 1.5
//!   vote: A A A . .      a name that was agreed on holds ...
//!   vote: A A A . . .    ... until votes against it, in a row, weigh 2.4; then all starts anew
//!   vote: . . . . .      5 misses and no agreement -> unknown
//!   vote: ~ ~ ~ ~ ~      5 comparisons that decide nothing -> not sure; 15 votes without agreement -> unknown
//! ```
//!
//! Weights only ever ask for more: however good the faces, it takes `agreeing_frames` of them. A name needs 1.5 to rise
//! and 2.4 to fall, so that somebody greeted may turn the head; but three refusals of good faces (0.8 and more) in a
//! row end it, as before weights were.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How much agreement a name needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsensusRules {
    /// Votes for one identity that make it agreed on, at least 1.
    pub agreeing_frames: usize,
    /// What those votes' weights (0 to 1 each) must add up to as well.
    pub agreeing_weight: f32,
    /// The latest votes among which they are counted, at least `agreeing_frames`.
    pub window_frames: usize,
    /// Weight of votes in a row against a name that was agreed on that makes it fall.
    pub falling_weight: f32,
    /// Misses (no match, or a conflict) without agreement after which a person counts as unknown, at least 1.
    pub missing_frames: usize,
    /// Votes that decide nothing after which a person is told so, at least 1.
    pub unsure_frames: usize,
    /// Votes of any kind without agreement after which a person counts as unknown, at least 1.
    pub giving_up_frames: usize,
    /// Age in milliseconds after which a vote no longer counts, and a name that no vote has spoken for since is not
    /// held against new ones.
    pub window_ms: u64,
}

impl Default for ConsensusRules {
    fn default() -> Self {
        Self {
            agreeing_frames: 3,
            agreeing_weight: 1.5,
            window_frames: 5,
            falling_weight: 2.4,
            missing_frames: 5,
            unsure_frames: 5,
            giving_up_frames: 15,
            window_ms: 3000,
        }
    }
}

impl ConsensusRules {
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, found, most) in [
            ("agreeing_frames", self.agreeing_frames, self.window_frames),
            ("window_frames", self.window_frames, 1000),
            ("missing_frames", self.missing_frames, 1000),
            ("unsure_frames", self.unsure_frames, 1000),
            ("giving_up_frames", self.giving_up_frames, 1000),
        ] {
            if !(1..=most).contains(&found) {
                return Err(format!(
                    "session.consensus.{name} = {found}, which is not from 1 to {most}"
                ));
            }
        }
        for (name, found, most) in [
            // More than the window can hold could never be reached.
            (
                "agreeing_weight",
                self.agreeing_weight,
                self.window_frames as f32,
            ),
            ("falling_weight", self.falling_weight, 1000.0),
        ] {
            if !(0.0..=most).contains(&found) {
                return Err(format!(
                    "session.consensus.{name} = {found}, which is not from 0 to {most}"
                ));
            }
        }
        Ok(())
    }
}

/// What one comparison says about a person; how much it counts comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote<Id> {
    /// It is this identity.
    For(Id),
    /// It is nobody known.
    Nobody,
    /// It could not be told.
    Unsure,
}

/// What the votes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<Id> {
    /// Too few votes to say.
    Undecided,
    /// Enough votes, most of which decide nothing.
    NotSure,
    /// Enough votes named this identity, and not enough have spoken against it since.
    Agreed(Id),
    /// Enough votes, and no identity was agreed on.
    Unknown,
}

/// The latest votes about one person in front of the camera.
#[derive(Clone, Debug)]
pub struct Consensus<Id> {
    rules: ConsensusRules,
    /// When, for whom, and how much it counts.
    window: VecDeque<(Timestamp, Option<Id>, f32)>,
    misses: usize,
    unsure: usize,
    /// Who was agreed on, until it falls.
    held: Option<Id>,
    /// Weight of the votes in a row that do not speak for `held`.
    against: f32,
    confirmed: Timestamp,
}

impl<Id: Copy + PartialEq> Consensus<Id> {
    /// A consensus without votes.
    pub fn new(rules: ConsensusRules) -> Self {
        Self {
            rules,
            window: VecDeque::new(),
            misses: 0,
            unsure: 0,
            held: None,
            against: 0.0,
            confirmed: Timestamp::default(),
        }
    }

    /// Forgets all votes; called when another person may stand in front of the camera.
    pub fn clear(&mut self) {
        *self = Self::new(self.rules);
    }

    /// Adds one comparison's vote, which counts `weight`, 0 to 1.
    pub fn vote(&mut self, now: Timestamp, vote: Vote<Id>, weight: f32) -> Verdict<Id> {
        let oldest = Duration::from_millis(self.rules.window_ms);
        self.window.retain(|(at, ..)| now.since(*at) <= oldest);
        if self.held.is_some() && now.since(self.confirmed) > oldest {
            self.clear();
        }
        let named = match vote {
            Vote::For(id) => Some(id),
            Vote::Nobody | Vote::Unsure => None,
        };
        let conflict = named.is_some() && self.named().is_some_and(|other| Some(other) != named);
        if conflict {
            self.window.clear();
        }
        match vote {
            Vote::Unsure => self.unsure += 1,
            Vote::Nobody => self.misses += 1,
            Vote::For(_) => self.misses += usize::from(conflict),
        }
        self.window.push_back((now, named, weight));
        while self.window.len() > self.rules.window_frames {
            self.window.pop_front();
        }
        if let Some(held) = self.held {
            if named == Some(held) {
                self.confirm(now, held);
            } else {
                // What decides nothing speaks half against: a turned head does not cost a name as fast as a stranger.
                let share = if vote == Vote::Unsure { 0.5 } else { 1.0 };
                self.doubt(share * weight);
            }
        } else if let Some(agreed) = self.agreed() {
            self.confirm(now, agreed);
        }
        self.verdict()
    }

    /// Counts something other than a comparison against a name that was agreed on, as `weight` of a vote.
    pub fn doubt(&mut self, weight: f32) {
        if self.held.is_none() {
            return;
        }
        self.against += weight;
        // A hair less, so that eight votes of 0.3 weigh 2.4.
        if self.against >= self.rules.falling_weight - 1e-4 {
            self.clear();
        }
    }

    /// What the votes so far amount to.
    pub fn verdict(&self) -> Verdict<Id> {
        let votes = self.misses + self.unsure;
        match self.held {
            Some(held) => Verdict::Agreed(held),
            None if self.misses >= self.rules.missing_frames
                || votes >= self.rules.giving_up_frames =>
            {
                Verdict::Unknown
            }
            None if self.unsure >= self.rules.unsure_frames => Verdict::NotSure,
            None => Verdict::Undecided,
        }
    }

    /// Whether a name that was agreed on has votes against it since the last one for it.
    pub fn in_doubt(&self) -> bool {
        self.held.is_some() && self.against > 0.0
    }

    /// Whether the latest vote names somebody who is not agreed on yet: the next votes matter.
    pub fn is_leaning(&self) -> bool {
        let latest = self.window.back();
        self.held.is_none() && latest.is_some_and(|(_, named, _)| named.is_some())
    }

    /// When a vote last spoke for the name that was agreed on; none without such a name.
    pub fn confirmed(&self) -> Option<Timestamp> {
        self.held.map(|_| self.confirmed)
    }

    /// How far the current votes are towards agreement or towards giving up, whichever is nearer; 0 to 1.
    pub fn progress(&self) -> f32 {
        let agreed = self.agreeing().0 as f32 / self.rules.agreeing_frames as f32;
        let missed = self.misses as f32 / self.rules.missing_frames as f32;
        let votes = (self.misses + self.unsure) as f32;
        let given_up = votes / self.rules.giving_up_frames as f32;
        agreed.max(missed).max(given_up).min(1.0)
    }

    fn confirm(&mut self, now: Timestamp, id: Id) {
        self.held = Some(id);
        (self.against, self.misses, self.unsure) = (0.0, 0, 0);
        self.confirmed = now;
    }

    /// Whom enough of the present votes name, if the latest one does too: a greeting's distance is then a match's.
    ///
    /// A name that was agreed on may hold longer ([`Consensus::verdict`]).
    pub fn agreed(&self) -> Option<Id> {
        let (_, latest, _) = self.window.back()?;
        let (votes, weight) = self.agreeing();
        let enough =
            votes >= self.rules.agreeing_frames && weight >= self.rules.agreeing_weight - 1e-4;
        latest.filter(|_| enough)
    }

    /// The one identity that the window names; a conflict empties the window, so there is never a second.
    fn named(&self) -> Option<Id> {
        self.window.iter().find_map(|(_, named, _)| *named)
    }

    /// How many votes of the window name somebody, and their weight.
    fn agreeing(&self) -> (usize, f32) {
        let naming = self.window.iter().filter(|(_, named, _)| named.is_some());
        naming.fold((0, 0.0), |(votes, sum), (.., weight)| {
            (votes + 1, sum + weight)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Votes 100 ms apart, one letter each: `.` is nobody, `~` unsure, a capital a good face, the same letter small a
    /// face of weight 0.4. Returns one letter per verdict: `-` undecided, `~` not sure, `?` unknown, else the identity.
    fn verdicts(votes: &str) -> String {
        let mut consensus = Consensus::new(ConsensusRules::default());
        let verdict = |(frame, letter): (usize, char)| {
            let now = Timestamp::from_millis(frame as u64 * 100);
            let weight = if letter.is_lowercase() { 0.4 } else { 1.0 };
            let vote = match letter {
                '.' => Vote::Nobody,
                '~' => Vote::Unsure,
                name => Vote::For(name.to_ascii_uppercase()),
            };
            match consensus.vote(now, vote, weight) {
                Verdict::Undecided => '-',
                Verdict::NotSure => '~',
                Verdict::Unknown => '?',
                Verdict::Agreed(identity) => identity,
            }
        };
        votes.chars().enumerate().map(verdict).collect()
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
            // Before weights, the sixth vote alone ended it: a name now holds until three have spoken against it.
            ("agreement holds through misses", "AAA.A..", "--AAAAA"),
            ("three refusals end it", "AAA...", "--AAA-"),
            ("and it must be earned anew", "AAA...AAA", "--AAA---A"),
            (
                "another name ends it too, and starts anew",
                "AAABBBBBB",
                "--AAA---B",
            ),
            (
                "what decides nothing speaks half against",
                "AAA~~~~~~",
                "--AAAAA--",
            ),
            ("good for nothing, then known", "~~AAA", "----A"),
            ("never sure", "~~~~~~~~~~~~~~~~", "----~~~~~~~~~~??"),
            ("rather nobody than not sure", "~~..~~...", "--------?"),
            ("poor faces: three are too few", "aaaaa", "---AA"),
            ("poor faces and a good one", "aaA", "--A"),
            ("two good faces are too few", "AA.~~", "-----"),
        ] {
            assert_eq!(verdicts(votes), expected, "{name}: {votes}");
        }
    }

    #[test]
    fn poor_refusals_take_longer_to_end_a_name() {
        let mut consensus = Consensus::new(ConsensusRules::default());
        for frame in 0..3 {
            consensus.vote(Timestamp::from_millis(frame), Vote::For('A'), 1.0);
        }
        let refusals = (3..20).take_while(|frame| {
            consensus.vote(Timestamp::from_millis(*frame), Vote::Nobody, 0.3)
                == Verdict::Agreed('A')
        });
        assert_eq!(refusals.count(), 7, "the eighth ends it");
    }

    #[test]
    fn old_votes_do_not_count() {
        let mut consensus = Consensus::new(ConsensusRules::default());
        for (millis, expected) in [
            (0, Verdict::Undecided),
            (100, Verdict::Undecided),
            (3200, Verdict::Undecided),
            (3300, Verdict::Undecided),
            (3400, Verdict::Agreed('A')),
        ] {
            let found = consensus.vote(Timestamp::from_millis(millis), Vote::For('A'), 1.0);
            assert_eq!(found, expected, "{millis}");
        }
        assert_eq!(consensus.confirmed(), Some(Timestamp::from_millis(3400)));
    }

    #[test]
    fn progress_follows_the_nearer_end() {
        let mut consensus = Consensus::new(ConsensusRules::default());
        assert_eq!(consensus.progress(), 0.0);
        consensus.vote(Timestamp::default(), Vote::For('A'), 1.0);
        assert_eq!(consensus.progress(), 1.0 / 3.0);
        consensus.vote(Timestamp::default(), Vote::Nobody, 1.0);
        consensus.vote(Timestamp::default(), Vote::Nobody, 1.0);
        assert_eq!(consensus.progress(), 0.4);
    }

    /// Whatever comes, a name that is agreed on anew was voted for by `agreeing_frames` of the last `window_frames`
    /// votes, all within `window_ms`, with enough weight, and by the last one.
    #[test]
    fn no_name_without_its_votes() {
        use rand::{Rng, SeedableRng};
        let rules = ConsensusRules::default();
        for seed in 0..2000 {
            let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let mut consensus = Consensus::new(rules);
            let (mut now, mut cast, mut held) = (0_u64, Vec::new(), None);
            for _ in 0..60 {
                now += random.random_range(20..900);
                let vote = match random.random_range(0..6) {
                    0 => Vote::Nobody,
                    1 => Vote::Unsure,
                    2 => Vote::For('B'),
                    _ => Vote::For('A'),
                };
                let weight: f32 = random.random_range(0.0..1.0);
                cast.push((now, vote, weight));
                let verdict = consensus.vote(Timestamp::from_millis(now), vote, weight);
                let agreed = match verdict {
                    Verdict::Agreed(name) => Some(name),
                    _ => None,
                };
                if let Some(name) = agreed.filter(|name| held != Some(*name)) {
                    let window = cast.iter().rev().take(rules.window_frames);
                    let speaking: Vec<f32> = window
                        .filter(|(at, vote, _)| {
                            *vote == Vote::For(name) && now - at <= rules.window_ms
                        })
                        .map(|(.., weight)| *weight)
                        .collect();
                    assert!(speaking.len() >= rules.agreeing_frames, "seed {seed}");
                    let weight: f32 = speaking.iter().sum();
                    assert!(
                        weight >= rules.agreeing_weight - 1e-3,
                        "seed {seed}: {weight}"
                    );
                    assert_eq!(vote, Vote::For(name), "seed {seed}");
                }
                held = agreed;
            }
        }
    }

    #[test]
    fn rules_that_make_no_sense_are_named() {
        let sound = ConsensusRules::default();
        assert_eq!(sound.check(), Ok(()));
        for (rules, named) in [
            (
                ConsensusRules {
                    agreeing_frames: 6,
                    ..sound
                },
                "session.consensus.agreeing_frames = 6, which is not from 1 to 5",
            ),
            (
                ConsensusRules {
                    missing_frames: 0,
                    ..sound
                },
                "session.consensus.missing_frames = 0",
            ),
            (
                ConsensusRules {
                    agreeing_weight: 5.5,
                    ..sound
                },
                "session.consensus.agreeing_weight = 5.5",
            ),
            (
                ConsensusRules {
                    falling_weight: f32::NAN,
                    ..sound
                },
                "session.consensus.falling_weight",
            ),
        ] {
            let message = rules.check().unwrap_err();
            assert!(message.starts_with(named), "{message}");
        }
    }
}
