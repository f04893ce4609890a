//! Contact sheets: the faces of a cluster side by side.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::Context;
use shared::Detection;
use shared::atomic_file::{self, Readers};

use crate::cluster::store::State;
use crate::cluster::store::folders::{Folders, LONE, SHEETS};
use crate::drawing;
use crate::embeddings::thumbnail;
use crate::parallel;

/// Side of a face on a contact sheet, in pixels.
const FACE_PX: u32 = 112;
/// Most faces on a sheet: the nearest to the center, and as many of the farthest.
const SHEET_FACES: usize = 96;

/// A contact sheet for each cluster that changed, and for the lone faces.
pub(super) fn draw(state: &State, folders: &Folders, out: &Path) -> anyhow::Result<()> {
    let sheets = out.join(SHEETS);
    let mut changed: HashSet<Option<u32>> = state
        .pending
        .iter()
        .map(|face| state.faces[*face].cluster)
        .collect();
    // And for those that an earlier run drew none for.
    let all = state.faces.iter().map(|face| face.cluster);
    changed.extend(all.filter(|cluster| !sheets.join(file(*cluster)).exists()));
    let mut faces = BTreeMap::<Option<u32>, Vec<usize>>::new();
    for (index, face) in state.faces.iter().enumerate() {
        if changed.contains(&face.cluster) {
            faces.entry(face.cluster).or_default().push(index);
        }
    }
    atomic_file::private_folder(&sheets)
        .with_context(|| format!("cannot make {}", sheets.display()))?;
    let all: Vec<(Option<u32>, Vec<usize>)> = faces.into_iter().collect();
    let one = |(): &mut (), (cluster, members): &(Option<u32>, Vec<usize>)| -> anyhow::Result<()> {
        let mut members = members.clone();
        members.sort_by(|a, b| {
            state.faces[*a]
                .distance
                .total_cmp(&state.faces[*b].distance)
        });
        let count = members.len();
        if count > SHEET_FACES {
            members.drain(SHEET_FACES / 2..count - SHEET_FACES / 2);
        }
        let mut pictures = Vec::with_capacity(members.len());
        for member in members {
            let face = &state.faces[member];
            // A picture that went in the meantime leaves its place to the next.
            let detection = face.place.as_ref().map(Detection::from);
            pictures.extend(thumbnail(&face.path, detection.as_ref(), FACE_PX));
        }
        let shown = match pictures.len() {
            shown if shown < count => format!("{count} faces, {shown} shown"),
            _ => format!("{count} faces"),
        };
        let (title, note) = match cluster {
            Some(number) => (folders.name(*number), "nearest to the middle first"),
            None => ("lone faces".to_owned(), "each like no other"),
        };
        let sheet = drawing::contact_sheet(&pictures, &title, &format!("{shown}, {note}"));
        let path = sheets.join(file(*cluster));
        atomic_file::replace(&path, &drawing::png(&sheet)?, Readers::Owner)
            .with_context(|| format!("cannot write {}", path.display()))
    };
    parallel::map(&all, parallel::cores(), ("sheets", |_| 1), || Ok(()), one)?;
    Ok(())
}

/// The sheet of a cluster, or of the lone faces.
fn file(cluster: Option<u32>) -> String {
    match cluster {
        Some(number) => format!("cluster-{number:04}.png"),
        None => format!("{LONE}.png"),
    }
}
