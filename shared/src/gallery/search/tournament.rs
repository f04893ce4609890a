//! Takes blocks from the most promising on, without sorting all of them.

/// Blocks that share a leader.
const GROUP: usize = 64;

/// The largest v of every block, given out in falling order.
pub(super) struct Tournament<'a> {
    values: &'a mut [f32],
    leaders: Vec<f32>,
}

impl Tournament<'_> {
    /// Over the largest v of every block; what is taken out becomes minus infinity there.
    pub(super) fn new(values: &mut [f32]) -> Tournament<'_> {
        let leaders = values.chunks(GROUP).map(largest).collect();
        Tournament { values, leaders }
    }

    /// The block with the largest v of those left, and that v; None once all that is left are
    /// minus infinity.
    pub(super) fn take(&mut self) -> Option<(usize, f32)> {
        let value = largest(&self.leaders);
        if value == f32::NEG_INFINITY {
            return None;
        }
        let group = position(&self.leaders, value);
        let values = self.values.chunks_mut(GROUP).nth(group)?;
        let block = position(values, value);
        values[block] = f32::NEG_INFINITY;
        self.leaders[group] = largest(values);
        Some((group * GROUP + block, value))
    }
}

/// The largest of numbers that are not NaN; minus infinity of none.
fn largest(values: &[f32]) -> f32 {
    // In sixteen lanes, which the compiler makes vectors of.
    let mut lanes = [f32::NEG_INFINITY; 16];
    let (whole, rest) = values.as_chunks::<16>();
    for sixteen in whole {
        for (lane, &value) in lanes.iter_mut().zip(sixteen) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    rest.iter()
        .chain(&lanes)
        .fold(f32::NEG_INFINITY, |a, &b| a.max(b))
}

fn position(values: &[f32], value: f32) -> usize {
    let found = values.iter().position(|&other| other == value);
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_block_once_in_falling_order() {
        for count in [0, 1, 15, 16, 17, 255, 256, 257, 1000] {
            // Every value twice, one hole.
            let mut values: Vec<f32> = (0..count)
                .map(|i| ((i * 37) % (count / 2 + 1)) as f32)
                .collect();
            if let Some(last) = values.last_mut() {
                *last = f32::NEG_INFINITY;
            }
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            sorted.pop();
            let original = values.clone();
            let mut tournament = Tournament::new(&mut values);
            let (mut taken, mut blocks) = (Vec::new(), Vec::new());
            while let Some((block, value)) = tournament.take() {
                assert_eq!(original[block], value);
                taken.push(value);
                blocks.push(block);
            }
            assert_eq!(taken, sorted, "of {count}");
            blocks.sort_unstable();
            blocks.dedup();
            assert_eq!(blocks.len(), sorted.len());
        }
    }
}
