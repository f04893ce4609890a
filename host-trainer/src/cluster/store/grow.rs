//! New faces into a state: into old clusters first, the rest among themselves and with lone faces.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use shared::Threshold;

use super::{Member, Place, State};
use crate::cluster::{ClusterError, Method, Rows, growth};

/// A face that is to join.
#[derive(Debug, Clone)]
pub struct NewFace<'a> {
    /// Its picture, as an absolute path.
    pub path: PathBuf,
    /// SHA-256 of the picture.
    pub digest: String,
    /// Its number in its picture.
    pub index: usize,
    /// Its person, if known.
    pub label: Option<String>,
    /// Where it lies in its picture.
    pub place: Option<Place>,
    /// A unit vector of the state's dimension.
    pub embedding: &'a [f32],
}

/// What came of new faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grown {
    /// Faces of pictures that were there already, left out.
    pub known: usize,
    /// Faces that joined clusters there were.
    pub joined: usize,
    /// Clusters that are new.
    pub clusters: usize,
}

/// Adds faces: each joins the cluster at the least mean distance if that is within D; those left
/// over are grouped with the lone faces. Clusters keep their numbers and faces.
///
/// # Errors
/// [`ClusterError`] if the method takes no more faces; nothing is changed then.
pub fn grow(
    state: &mut State,
    rows: &mut Vec<f32>,
    new: Vec<NewFace<'_>>,
    method: Method,
    threshold: Threshold,
) -> Result<Grown, ClusterError> {
    let known: HashSet<&str> = state
        .faces
        .iter()
        .map(|face| face.digest.as_str())
        .collect();
    let all = new.len();
    let new: Vec<NewFace<'_>> = new
        .into_iter()
        .filter(|face| !known.contains(face.digest.as_str()))
        .collect();
    let mut grown = Grown {
        known: all - new.len(),
        ..Grown::default()
    };
    let added: Vec<f32> = new
        .iter()
        .flat_map(|face| face.embedding)
        .copied()
        .collect();
    let old = Rows::new(rows, state.dimension)?;
    let clusters = state.clusters();
    let members: Vec<Vec<usize>> = clusters.values().cloned().collect();
    let assigned = growth::assign(
        old,
        &members,
        Rows::new(&added, state.dimension)?,
        threshold,
    );
    let numbers: Vec<u32> = clusters.into_keys().collect();

    // From here on faces are counted through, old ones first.
    let before = state.faces.len();
    let mut cluster_of: Vec<Option<u32>> = state.faces.iter().map(|face| face.cluster).collect();
    cluster_of.extend(
        assigned
            .iter()
            .map(|cluster| cluster.map(|cluster| numbers[cluster])),
    );
    grown.joined = assigned.iter().flatten().count();
    let rest: Vec<usize> = (0..cluster_of.len())
        .filter(|face| cluster_of[*face].is_none())
        .collect();
    let mut grown_rows = rows.clone();
    grown_rows.extend(added);
    let row = |face: &usize| &grown_rows[face * state.dimension..][..state.dimension];
    let rest_rows: Vec<f32> = rest.iter().flat_map(row).copied().collect();
    let groups = method.cluster(Rows::new(&rest_rows, state.dimension)?, threshold)?;
    for (face, group) in rest.iter().zip(&groups.of_face) {
        if groups.sizes[*group] > 1 {
            cluster_of[*face] = Some(state.next + *group as u32);
        }
    }
    grown.clusters = groups.groups();
    state.next += grown.clusters as u32;

    let changed = (0..before).filter(|face| state.faces[*face].cluster != cluster_of[*face]);
    state
        .pending
        .extend(changed.chain(before..before + new.len()));
    state.faces.extend(new.into_iter().map(|face| Member {
        path: face.path,
        digest: face.digest,
        index: face.index,
        cluster: None,
        distance: 0.0,
        label: face.label,
        place: face.place,
    }));
    for (face, cluster) in state.faces.iter_mut().zip(cluster_of) {
        face.cluster = cluster;
    }
    *rows = grown_rows;
    let members: Vec<Vec<usize>> = state.clusters().into_values().collect();
    let distances = growth::to_center(Rows::new(rows, state.dimension)?, &members);
    for (face, distance) in state.faces.iter_mut().zip(distances) {
        face.distance = distance;
    }
    Ok(grown)
}

impl State {
    /// The faces of each cluster, by its number.
    pub fn clusters(&self) -> BTreeMap<u32, Vec<usize>> {
        let mut clusters = BTreeMap::<u32, Vec<usize>>::new();
        for (index, face) in self.faces.iter().enumerate() {
            if let Some(number) = face.cluster {
                clusters.entry(number).or_default().push(index);
            }
        }
        clusters
    }
}
