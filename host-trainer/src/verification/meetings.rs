//! Which faces meet which: every face every other, or the pairs of a list.

use rayon::prelude::*;
use shared::{Embedding, SquaredL2};

use super::rates::Distances;

/// Two faces, by their places, and how far apart they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meeting {
    /// Places of the faces.
    pub faces: [usize; 2],
    /// Squared L2.
    pub distance: f32,
    /// Whether both are of one person.
    pub genuine: bool,
}

/// Which pairs meet.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Every two faces once.
    All,
    /// These pairs of places.
    Listed(&'a [[usize; 2]]),
}

/// Faces, whose they are, and which of them meet. Pairs with a face that was not found do not.
#[derive(Debug, Clone, Copy)]
pub struct Meetings<'a> {
    /// Each picture's face; none where none was found.
    pub embeddings: &'a [Option<Embedding>],
    /// Each picture's person, as a number from 0.
    pub people: &'a [usize],
    /// The pairs.
    pub which: Which<'a>,
}

impl Meetings<'_> {
    /// Walks over all meetings on all cores: `see` adds one to a part's value, and values of
    /// neighboring parts are merged in order, so the result does not depend on the cores.
    pub fn fold<T: Send>(
        &self,
        start: impl Fn() -> T + Sync + Send,
        see: impl Fn(&mut T, Meeting) + Sync + Send,
        merge: impl Fn(T, T) -> T + Sync + Send,
    ) -> T {
        let meet = |value: &mut T, faces: [usize; 2]| {
            let [a, b] = faces;
            if let (Some(one), Some(other)) = (&self.embeddings[a], &self.embeddings[b]) {
                let meeting = Meeting {
                    faces,
                    distance: SquaredL2::between(one, other).value(),
                    genuine: self.people[a] == self.people[b],
                };
                see(value, meeting);
            }
        };
        match self.which {
            Which::Listed(pairs) => {
                let mut value = start();
                for faces in pairs {
                    meet(&mut value, *faces);
                }
                value
            }
            Which::All => (0..self.embeddings.len())
                .into_par_iter()
                .fold(&start, |mut value, later| {
                    for earlier in 0..later {
                        meet(&mut value, [earlier, later]);
                    }
                    value
                })
                .reduce(&start, merge),
        }
    }

    /// The distances of both kinds.
    pub fn distances(&self) -> Distances {
        let lists = self.fold(
            || [Vec::new(), Vec::new()],
            |lists: &mut [Vec<f32>; 2], meeting| {
                lists[usize::from(!meeting.genuine)].push(meeting.distance);
            },
            |mut left, right| {
                for (left, right) in left.iter_mut().zip(right) {
                    left.extend(right);
                }
                left
            },
        );
        let [genuine, impostor] = lists;
        Distances::new(genuine, impostor)
    }

    /// The worst errors at a threshold: impostors by rising distance, then genuine pairs by falling
    /// distance, at most `count` of each.
    pub fn worst(&self, threshold: f32, count: usize) -> [Vec<Meeting>; 2] {
        let cut = |list: &mut Vec<Meeting>, genuine: bool| {
            list.sort_by(|a, b| {
                let order = a.distance.total_cmp(&b.distance);
                let order = if genuine { order.reverse() } else { order };
                order.then(a.faces.cmp(&b.faces))
            });
            list.truncate(count);
        };
        let mut worst = self.fold(
            || [Vec::new(), Vec::new()],
            |lists: &mut [Vec<Meeting>; 2], meeting| {
                if (meeting.distance <= threshold) != meeting.genuine {
                    let list = &mut lists[usize::from(meeting.genuine)];
                    list.push(meeting);
                    // Now and then, so that millions of errors never lie in memory.
                    if list.len() >= count.saturating_mul(2).saturating_add(1024) {
                        cut(list, meeting.genuine);
                    }
                }
            },
            |mut left, right| {
                for (left, right) in left.iter_mut().zip(right) {
                    left.extend(right);
                }
                left
            },
        );
        cut(&mut worst[0], false);
        cut(&mut worst[1], true);
        worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32, y: f32) -> Option<Embedding> {
        Some(Embedding::from_raw(vec![x, y]).unwrap())
    }

    /// Ada at right angles to herself, Bob opposite her first picture, nobody on the last picture.
    fn embeddings() -> Vec<Option<Embedding>> {
        vec![at(1.0, 0.0), at(0.0, 1.0), at(-1.0, 0.0), None]
    }

    #[test]
    fn every_two_faces_meet_once() {
        let embeddings = embeddings();
        let meetings = Meetings {
            embeddings: &embeddings,
            people: &[0, 0, 1, 1],
            which: Which::All,
        };
        let distances = meetings.distances();
        assert_eq!(distances.genuine(), [2.0]);
        assert_eq!(distances.impostor(), [2.0, 4.0]);
        let listed = Meetings {
            which: Which::Listed(&[[2, 0], [3, 1]]),
            ..meetings
        };
        let distances = listed.distances();
        assert_eq!(
            (distances.genuine(), distances.impostor()),
            (&[][..], &[4.0][..])
        );
    }

    #[test]
    fn the_worst_come_first() {
        let embeddings = embeddings();
        let meetings = Meetings {
            embeddings: &embeddings,
            people: &[0, 0, 1, 1],
            which: Which::All,
        };
        let [impostors, genuine] = meetings.worst(1.0, 5);
        assert!(impostors.is_empty());
        assert_eq!(genuine[0].faces, [0, 1]);
        let [impostors, genuine] = meetings.worst(4.0, 5);
        let found: Vec<[usize; 2]> = impostors.iter().map(|meeting| meeting.faces).collect();
        assert_eq!(found, [[1, 2], [0, 2]]);
        assert!(genuine.is_empty());
        assert_eq!(meetings.worst(4.0, 1)[0].len(), 1);
        assert_eq!(meetings.worst(4.0, usize::MAX)[0].len(), 2);
        // Of one person the farthest is the worst.
        let alone = Meetings {
            people: &[0, 0, 0, 1],
            ..meetings
        };
        let [_, genuine] = alone.worst(1.0, 5);
        let found: Vec<[usize; 2]> = genuine.iter().map(|meeting| meeting.faces).collect();
        assert_eq!(found, [[0, 2], [0, 1], [1, 2]]);
    }
}
