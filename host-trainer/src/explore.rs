//! The picture of an embedding: a page to explore, and the same as SVG and PNG.

pub mod clusters;
pub mod page;
pub mod palette;
pub mod picture;
pub mod sprites;

/// One way of coloring: what each face belongs to, and the color of each such group.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// Name and color (#rrggbb) of each group, the largest first.
    pub groups: Vec<(String, String)>,
    /// The group of each face; none for a face without.
    pub of: Vec<Option<usize>>,
}

impl Groups {
    /// Groups faces by label; a label's color is one of the palette while it lasts, else its own.
    pub fn of(labels: &[Option<&str>]) -> Self {
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for label in labels.iter().flatten() {
            *counts.entry(label).or_default() += 1;
        }
        let mut names: Vec<(&str, usize)> = counts.into_iter().collect();
        names.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let place: std::collections::HashMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(place, (name, _))| (*name, place))
            .collect();
        let color = |(place, (name, _)): (usize, &(&str, usize))| {
            ((*name).to_owned(), palette::color(place, name))
        };
        Self {
            groups: names.iter().enumerate().map(color).collect(),
            of: labels
                .iter()
                .map(|label| label.map(|label| place[label]))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
