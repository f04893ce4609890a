//! Error rates group by group: whether a model is as good for everybody.
//!
//! Impostor comparisons count where both people are of one group, as strangers of one group are the
//! hard ones; genuine ones always are of one. Ratios are to the group with the lowest rate (NIST
//! IR 8280, "Face Recognition Vendor Test Part 3: Demographic Effects").

use serde::Serialize;

use super::interval::{RULE_OF_30, clopper_pearson};

/// One comparison within a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grouped<'a> {
    /// The group's name.
    pub group: &'a str,
    /// Squared L2.
    pub distance: f32,
    /// Whether both faces are of one person.
    pub genuine: bool,
}

/// One error rate of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupRate {
    /// Comparisons that it is of.
    pub comparisons: u64,
    /// Wrong decisions among them.
    pub errors: u64,
    /// Their share, 0 to 1; absent without comparisons.
    pub rate: Option<f64>,
    /// Clopper-Pearson's bounds at 95 %, comparisons taken as independent.
    pub interval: Option<[f64; 2]>,
    /// Whether there are enough comparisons to say anything: at the rate of all groups together, 30
    /// errors would be expected.
    pub supported: bool,
    /// The rate over that of the best supported group; absent where it is not supported, or the
    /// best has no error at all.
    pub ratio_to_best: Option<f64>,
}

/// One group's line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Of impostor comparisons within the group.
    pub fmr: GroupRate,
    /// Of genuine comparisons of its people.
    pub fnmr: GroupRate,
}

/// All groups at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupTable {
    /// Squared L2 up to which comparisons are accepted.
    pub threshold: f32,
    /// The groups, by name.
    pub groups: Vec<Group>,
    /// The supported group with the highest FMR; absent with fewer than two supported.
    pub worst_fmr: Option<String>,
    /// The supported group with the highest FNMR; absent with fewer than two supported.
    pub worst_fnmr: Option<String>,
}

impl GroupTable {
    /// Counts comparisons by group.
    pub fn new<'a>(threshold: f32, comparisons: impl IntoIterator<Item = Grouped<'a>>) -> Self {
        let mut counts = std::collections::BTreeMap::<&str, [[u64; 2]; 2]>::new();
        for comparison in comparisons {
            let accepted = comparison.distance <= threshold;
            let kind =
                &mut counts.entry(comparison.group).or_default()[usize::from(comparison.genuine)];
            kind[0] += 1;
            kind[1] += u64::from(accepted != comparison.genuine);
        }
        let rates = |kind: usize| rates(counts.values().map(|counts| counts[kind]).collect());
        let groups = counts.keys().zip(rates(0).into_iter().zip(rates(1)));
        let groups: Vec<Group> = groups
            .map(|(name, (fmr, fnmr))| Group {
                name: (*name).to_owned(),
                fmr,
                fnmr,
            })
            .collect();
        Self {
            threshold,
            worst_fmr: worst(&groups, |group| &group.fmr),
            worst_fnmr: worst(&groups, |group| &group.fnmr),
            groups,
        }
    }
}

/// Of each group's comparisons and errors.
fn rates(counts: Vec<[u64; 2]>) -> Vec<GroupRate> {
    let [all, wrong] = counts.iter().fold([0, 0], |[all, wrong], counts| {
        [all + counts[0], wrong + counts[1]]
    });
    let pooled = wrong as f64 / (all as f64).max(1.0);
    let mut rates: Vec<GroupRate> = counts
        .into_iter()
        .map(|[comparisons, errors]| GroupRate {
            comparisons,
            errors,
            rate: (comparisons > 0).then(|| errors as f64 / comparisons as f64),
            interval: clopper_pearson(errors, comparisons),
            supported: comparisons as f64 * pooled >= RULE_OF_30 as f64,
            ratio_to_best: None,
        })
        .collect();
    let supported = rates.iter().filter(|rate| rate.supported);
    let best = supported.filter_map(|rate| rate.rate).reduce(f64::min);
    for rate in rates.iter_mut().filter(|rate| rate.supported) {
        let ratio = rate.rate.zip(best).map(|(rate, best)| rate / best);
        rate.ratio_to_best = ratio.filter(|ratio| ratio.is_finite());
    }
    rates
}

fn worst(groups: &[Group], rate: impl Fn(&Group) -> &GroupRate) -> Option<String> {
    let supported: Vec<&Group> = groups
        .iter()
        .filter(|group| rate(group).supported)
        .collect();
    let value = |group: &&Group| rate(group).rate.unwrap_or_default();
    let worst = supported
        .iter()
        .max_by(|a, b| value(a).total_cmp(&value(b)))?;
    (supported.len() > 1).then(|| worst.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `wrong` of `all` comparisons of that kind decided wrongly at 1.
    fn of(group: &str, genuine: bool, wrong: usize, all: usize) -> Vec<Grouped<'_>> {
        let one = |index: usize| Grouped {
            group,
            distance: if (index < wrong) == genuine { 2.0 } else { 0.5 },
            genuine,
        };
        (0..all).map(one).collect()
    }

    #[test]
    fn rates_ratios_and_the_worst_by_hand() {
        let comparisons = [
            of("a", false, 50, 1000),
            of("b", false, 150, 1000),
            of("c", false, 2, 10),
            of("a", true, 100, 400),
            of("b", true, 200, 400),
            of("c", true, 0, 0),
        ]
        .concat();
        let table = GroupTable::new(1.0, comparisons);
        let names: Vec<&str> = table
            .groups
            .iter()
            .map(|group| group.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "c"]);
        let [a, b, c] = &table.groups[..] else {
            panic!("three groups");
        };
        assert_eq!((a.fmr.rate, a.fmr.ratio_to_best), (Some(0.05), Some(1.0)));
        assert_eq!(b.fmr.rate, Some(0.15));
        assert!((b.fmr.ratio_to_best.unwrap() - 3.0).abs() < 1e-12);
        assert_eq!(b.fnmr.ratio_to_best, Some(2.0));
        // Ten comparisons at about 10 % are one error expected: nothing is said of them.
        assert_eq!((c.fmr.rate, c.fmr.supported), (Some(0.2), false));
        assert_eq!((c.fmr.ratio_to_best, c.fnmr.rate), (None, None));
        assert_eq!(
            table.worst_fmr.as_deref(),
            Some("b"),
            "not the unsupported c"
        );
        assert_eq!(table.worst_fnmr.as_deref(), Some("b"));
    }

    #[test]
    fn no_ratio_to_a_best_without_errors() {
        let comparisons = [of("a", false, 0, 1000), of("b", false, 100, 1000)].concat();
        let table = GroupTable::new(1.0, comparisons);
        assert!(table.groups[0].fmr.supported, "50 errors would be expected");
        assert_eq!(table.groups[1].fmr.ratio_to_best, None);
        assert_eq!(table.worst_fmr.as_deref(), Some("b"));
        assert_eq!(table.worst_fnmr, None);
    }
}
