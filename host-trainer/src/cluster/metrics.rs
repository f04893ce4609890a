//! How good a clustering is where the persons are known: pairwise and B-cubed.
//!
//! Bagga, Baldwin, "Algorithms for scoring coreference chains", 1998; Amigó, Gonzalo, Artiles,
//! Verdejo, "A comparison of extrinsic clustering evaluation metrics", 2009, who show that B-cubed
//! alone orders clusterings as people do.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;

/// Precision, recall, and their harmonic mean, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// Share of what the clustering says that is true.
    pub precision: f64,
    /// Share of what is true that the clustering says.
    pub recall: f64,
    /// 2 P R / (P + R).
    pub f: f64,
}

/// Both measures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metrics {
    /// Of pairs of faces said to be of one person; a person with many faces weighs by its square.
    /// Where there is no pair at all the share is 1.
    pub pairwise: Scores,
    /// Mean over faces, of the share of a face's own person in its cluster (precision) and of its
    /// person's faces that are in it (recall), the face itself counted.
    pub b_cubed: Scores,
    /// Faces that were counted: those with a person.
    pub faces: usize,
    /// Persons among them.
    pub people: usize,
}

impl Metrics {
    /// Those of faces by cluster and person; none without faces.
    pub fn of<C: Eq + Hash, P: Eq + Hash>(faces: impl IntoIterator<Item = (C, P)>) -> Option<Self> {
        let mut clusters = HashMap::<C, (usize, u64)>::new();
        let mut people = HashMap::<P, (usize, u64)>::new();
        let mut both = HashMap::<(usize, usize), u64>::new();
        let mut count = 0_usize;
        for (cluster, person) in faces {
            let number = (clusters.len(), people.len());
            let cluster = clusters.entry(cluster).or_insert((number.0, 0));
            let person = people.entry(person).or_insert((number.1, 0));
            cluster.1 += 1;
            person.1 += 1;
            *both.entry((cluster.0, person.0)).or_default() += 1;
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let by_number = |mut sizes: Vec<(usize, u64)>| -> Vec<u64> {
            sizes.sort_unstable();
            sizes.into_iter().map(|(_, size)| size).collect()
        };
        let clusters = by_number(clusters.into_values().collect());
        let people = by_number(people.into_values().collect());
        let pairs = |sizes: &[u64]| -> u64 { sizes.iter().map(|n| n * (n - 1) / 2).sum() };
        let mut both: Vec<((usize, usize), u64)> = both.into_iter().collect();
        // Sums of floating point in one order, for one result.
        both.sort_unstable();
        let common: Vec<u64> = both.iter().map(|(_, size)| *size).collect();
        let right = pairs(&common);
        let share = |of: u64| {
            if of == 0 {
                1.0
            } else {
                right as f64 / of as f64
            }
        };
        let mean = |size: &dyn Fn(usize, usize) -> u64| {
            let terms = both.iter().map(|((cluster, person), common)| {
                (*common as f64).powi(2) / size(*cluster, *person) as f64
            });
            terms.sum::<f64>() / count as f64
        };
        Some(Self {
            pairwise: Scores::new(share(pairs(&clusters)), share(pairs(&people))),
            b_cubed: Scores::new(
                mean(&|cluster, _| clusters[cluster]),
                mean(&|_, person| people[person]),
            ),
            faces: count,
            people: people.len(),
        })
    }
}

impl Scores {
    fn new(precision: f64, recall: f64) -> Self {
        let sum = precision + recall;
        let f = if sum > 0.0 {
            2.0 * precision * recall / sum
        } else {
            0.0
        };
        Self {
            precision,
            recall,
            f,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clusters as words, a letter for each face's person.
    fn of(clusters: &[&str]) -> Metrics {
        let faces = clusters.iter().enumerate();
        Metrics::of(faces.flat_map(|(cluster, people)| people.chars().map(move |p| (cluster, p))))
            .unwrap()
    }

    fn near(found: f64, expected: f64, what: &str) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{what}: {found}, not {expected}"
        );
    }

    #[test]
    fn worked_by_hand() {
        // Clusters; pairwise precision, recall; B-cubed precision, recall.
        let cases: [(&str, &[&str], [f64; 4]); 6] = [
            ("right", &["aaa", "bb"], [1.0; 4]),
            // 10 pairs of which 3 + 1 are true; (3 * 3/5 + 2 * 2/5) / 5 = 13/25.
            ("all in one", &["aaabb"], [0.4, 1.0, 0.52, 1.0]),
            // No pair is claimed; each face finds itself: (3 * 1/3 + 2 * 1/2) / 5 = 2/5.
            (
                "all alone",
                &["a", "a", "a", "b", "b"],
                [1.0, 0.0, 1.0, 0.4],
            ),
            // 3 + 1 pairs, aa alone true of 4; (2 * 2/3 + 1/3 + 1/2 + 1/2) / 5, (2 * 2/3 + 1/3 + 1/2 + 1/2) / 5.
            (
                "one astray",
                &["aab", "ab"],
                [0.25, 0.25, 8.0 / 15.0, 8.0 / 15.0],
            ),
            // Bagga and Baldwin 1998, figures 1 and 2: 76 % and 58 %.
            (
                "two joined",
                &["aaaaa", "bbccccc"],
                [21.0 / 31.0, 1.0, 16.0 / 21.0, 1.0],
            ),
            (
                "the larger joined",
                &["aaaaaccccc", "bb"],
                [21.0 / 46.0, 1.0, 7.0 / 12.0, 1.0],
            ),
        ];
        for (name, clusters, [precision, recall, b_precision, b_recall]) in cases {
            let found = of(clusters);
            near(found.pairwise.precision, precision, name);
            near(found.pairwise.recall, recall, name);
            near(found.b_cubed.precision, b_precision, name);
            near(found.b_cubed.recall, b_recall, name);
        }
        near(of(&["aaabb"]).b_cubed.f, 2.0 * 0.52 / 1.52, "F");
        assert!(Metrics::of(Vec::<(u8, u8)>::new()).is_none());
    }

    /// The four constraints of Amigó et al. 2009, section 3: the second clustering is better.
    #[test]
    fn orders_clusterings_as_people_do() {
        let cases: [(&str, &[&str], &[&str]); 4] = [
            ("homogeneity", &["aabb"], &["aa", "bb"]),
            ("completeness", &["aa", "aa", "b"], &["aaaa", "b"]),
            ("rag bag", &["aaaab", "cdef"], &["aaaa", "bcdef"]),
            (
                "size versus quantity",
                &["aaaa", "b", "b", "c", "c", "d", "d"],
                &["aaa", "a", "bb", "cc", "dd"],
            ),
        ];
        for (name, worse, better) in cases {
            assert!(of(worse).b_cubed.f < of(better).b_cubed.f, "{name}");
        }
    }
}
