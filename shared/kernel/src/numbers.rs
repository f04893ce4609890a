//! Numbers in memory as vectors read them.

/// Numbers in a vector of the widest kernel, and in a cache line.
pub(crate) const LINE: usize = 16;

/// A cache line of numbers.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Numbers that begin on a cache line, so that no vector of weights lies across two.
#[derive(Clone)]
pub struct Numbers {
    lines: Vec<Line>,
    len: usize,
}

impl Numbers {
    /// That many zeros.
    pub(crate) fn zeros(len: usize) -> Numbers {
        Numbers {
            lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)],
            len,
        }
    }

    /// A copy.
    pub fn of(numbers: &[f32]) -> Numbers {
        let mut copy = Numbers::zeros(numbers.len());
        copy.as_mut_slice().copy_from_slice(numbers);
        copy
    }

    /// With zeros up to the end of the last line.
    pub(crate) fn padded(mut self) -> Numbers {
        self.len = self.lines.len() * LINE;
        self
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The numbers.
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: lines are arrays of 16 f32 without gaps, and len is at most 16 times their count.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Numbers) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Numbers {}

impl std::hash::Hash for Numbers {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_slice()
            .iter()
            .for_each(|number| number.to_bits().hash(state));
    }
}

impl std::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} numbers", self.len)
    }
}
