//! Axes with round numbers on them.

/// Part of a number line, and the places marked on it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// Where it begins.
    pub(super) from: f64,
    /// Where it ends, beyond `from`.
    pub(super) to: f64,
    /// The distance between marks.
    spacing: f64,
}

impl Axis {
    /// From `low` to `high`, widened to whole marks, about `marks` of them.
    pub(super) fn rounded(low: f64, high: f64, marks: usize) -> Self {
        let exact = Self::exact(low, high, marks);
        let spacing = exact.spacing;
        // A hair's breadth short, so that a value on a mark is not moved beyond it by rounding.
        Self {
            from: (exact.from / spacing + 1e-9).floor() * spacing,
            to: (exact.to / spacing - 1e-9).ceil() * spacing,
            spacing,
        }
    }

    /// From `low` to `high` exactly, about `marks` marks between.
    pub(super) fn exact(low: f64, high: f64, marks: usize) -> Self {
        let high = match high > low {
            true => high,
            false => low + low.abs().max(1.0), // all values the same
        };
        let least = (high - low) / marks as f64;
        let power = 10_f64.powf(least.log10().floor());
        let spacing = [1.0, 2.0, 5.0, 10.0]
            .map(|digit| digit * power)
            .into_iter()
            .find(|spacing| *spacing >= least * 0.999)
            .unwrap_or(10.0 * power);
        Self {
            from: low,
            to: high,
            spacing,
        }
    }

    /// The marked values.
    pub(super) fn marks(&self) -> impl Iterator<Item = f64> {
        let first = (self.from / self.spacing - 1e-9).ceil() as i64;
        let last = (self.to / self.spacing + 1e-9).floor() as i64;
        (first..=last).map(|index| index as f64 * self.spacing)
    }

    /// A value's place, 0 at the begin to 1 at the end; what lies outside is put at the nearer end.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// A mark's number, with as many digits as tell it from its neighbors.
    pub(super) fn label(&self, mark: f64) -> String {
        let largest = self.to.abs().max(self.from.abs());
        if largest >= 1e4 {
            let thousands = mark / 1e3;
            let digits = usize::from(self.spacing % 1e3 != 0.0);
            return match (mark == 0.0, largest >= 1e7) {
                (true, _) => "0".to_owned(),
                (false, false) => format!("{thousands:.digits$}k"),
                (false, true) => format!("{}M", trimmed(mark / 1e6)),
            };
        }
        if largest < 1e-3 {
            return match mark == 0.0 {
                true => "0".to_owned(),
                false => format!("{mark:.0e}"),
            };
        }
        if self.spacing >= 1.0 && mark >= 1e3 {
            return counted(mark as u64);
        }
        let digits = (-self.spacing.log10()).ceil().max(0.0) as usize;
        format!("{:.digits$}", mark + 0.0)
    }
}

/// Up to two decimals, without zeros at the end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A whole number with a comma between thousands.
pub(super) fn counted(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers_around_the_values() {
        for (low, high, expected) in [
            (0.0, 0.93, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"][..]),
            (0.0, 1.0, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
            (62.0, 84.0, &["60", "65", "70", "75", "80", "85"]),
            (0.0, 4000.0, &["0", "1,000", "2,000", "3,000", "4,000"]),
            (0.0, 12_000.0, &["0", "5k", "10k", "15k"]),
            (0.0, 1.1e4, &["0", "5k", "10k", "15k"]),
            (0.0, 4.2e-4, &["0", "1e-4", "2e-4", "3e-4", "4e-4", "5e-4"]),
            (0.0, 2.3e7, &["0", "5M", "10M", "15M", "20M", "25M"]),
            (3.0, 3.0, &["3", "4", "5", "6"]),
        ] {
            let axis = Axis::rounded(low, high, 5);
            let labels: Vec<String> = axis.marks().map(|mark| axis.label(mark)).collect();
            assert_eq!(labels, expected, "{low} to {high}");
            assert!(axis.from <= low && high <= axis.to, "{axis:?}");
        }
    }

    #[test]
    fn an_exact_axis_ends_where_its_values_do() {
        let axis = Axis::exact(0.0, 1130.0, 5);
        assert_eq!(axis.marks().collect::<Vec<_>>(), [0.0, 500.0, 1000.0]);
        assert_eq!((axis.place(1130.0), axis.place(565.0)), (1.0, 0.5));
        assert_eq!((axis.place(-5.0), axis.place(2000.0)), (0.0, 1.0));
    }

    #[test]
    fn thousands_are_told_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(counted(number), text);
        }
    }
}
