//! The page: one HTML file with data, code and faces in it, which asks nobody for anything.

use serde_json::{Value, json};

use super::Groups;
use super::sprites::{self, Sheets, data_uri};
use crate::tsne::preservation::Preservation;

const TEMPLATE: &str = include_str!("page.html");
/// Where the data go in the template.
const DATA: &str = "\"DATA\"";

/// What the page shows.
#[derive(Debug)]
pub struct Page<'a> {
    /// Its heading.
    pub title: &'a str,
    /// The model's name and id.
    pub model: &'a str,
    /// A place for each face.
    pub points: &'a [[f32; 2]],
    /// What is shown of a face's picture, its file's name.
    pub files: &'a [String],
    /// By person.
    pub people: &'a Groups,
    /// By cluster, if there are any.
    pub clusters: Option<&'a Groups>,
    /// How far the picture may be believed.
    pub preservation: &'a Preservation,
    /// The faces themselves; without sheets there are none.
    pub sheets: &'a Sheets,
}

/// A template with data in the place for them.
pub(crate) fn fill(template: &str, data: &Value) -> String {
    // Inside a script no `<` may stand, or a folder's name could end it and begin another.
    let data = data.to_string().replace('<', "\\u003c");
    template.replacen(DATA, &data, 1)
}

impl Page<'_> {
    /// The page as HTML.
    pub fn html(&self) -> String {
        fill(TEMPLATE, &self.data())
    }

    fn data(&self) -> Value {
        // Whatever the picture's size: the page fits it into the window.
        let values = self.points.as_flattened();
        let most = values
            .iter()
            .fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
        let round = |value: &f32| (f64::from(*value / most) * 1e5).round() / 1e3;
        let points: Vec<f64> = values.iter().map(round).collect();
        json!({
            "title": self.title,
            "model": self.model,
            "points": points,
            "files": self.files,
            "people": groups(self.people),
            "clusters": self.clusters.map(groups),
            "kept": self.preservation.kept,
            "of": self.preservation.of,
            "mean": self.preservation.mean(),
            "tile": self.sheets.side_px,
            "columns": sprites::COLUMNS,
            "tiles": sprites::TILES,
            "sheets": self.sheets.jpegs.iter().map(|jpeg| data_uri(jpeg)).collect::<Vec<String>>(),
        })
    }
}

fn groups(groups: &Groups) -> Value {
    let (names, colors): (Vec<&String>, Vec<&String>) = groups
        .groups
        .iter()
        .map(|(name, color)| (name, color))
        .unzip();
    let of: Vec<i64> = groups
        .of
        .iter()
        .map(|group| group.map_or(-1, |group| group as i64))
        .collect();
    json!({ "names": names, "colors": colors, "of": of })
}
