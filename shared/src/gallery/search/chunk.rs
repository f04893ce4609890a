//! Where templates lie in memory: 4,096 at a time, so that a growing index never moves the rest.

use super::TemplateForm;
use super::kernel::{BLOCK, Line, lines_per_block};
use super::quantize::{Quantized, expand};
use crate::embedding::Embedding;
use crate::gallery::IdentityId;

/// Blocks in a chunk.
pub(super) const BLOCKS: usize = 256;
/// Templates in a chunk.
pub(super) const ROWS: usize = BLOCKS * BLOCK;

/// Owner of a row without a template: numbers start at 1.
const NOBODY: IdentityId = IdentityId(0);

/// Up to [`ROWS`] templates: their blocks for the scan, their owners, and in full form their numbers.
///
/// Capacity grows by an eighth, so that a small gallery stays small.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    dimension: usize,
    /// Exclusive or of code and byte, see [`super::kernel::Kernel::flip`].
    flip: u8,
    lines: Vec<Line>,
    owners: Vec<IdentityId>,
    /// Every template's f32, one after another; empty in compact form.
    numbers: Vec<f32>,
}

impl Chunk {
    pub(super) fn new(dimension: usize, flip: u8) -> Chunk {
        Chunk {
            dimension,
            flip,
            lines: Vec::new(),
            owners: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// Rows, with a template or without.
    pub(super) fn rows(&self) -> usize {
        self.owners.len()
    }

    /// Blocks, the last one not always full.
    pub(super) fn blocks(&self) -> usize {
        self.lines.len() / self.lines_per_block()
    }

    /// What the scan reads.
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What the scan reads of one block.
    pub(super) fn block(&self, block: usize) -> &[Line] {
        &self.lines[block * self.lines_per_block()..][..self.lines_per_block()]
    }

    /// Adds a row without a template.
    pub(super) fn grow(&mut self, form: TemplateForm) {
        if self.rows() == self.blocks() * BLOCK {
            let empty = self.empty_block();
            let more = (self.blocks() / 8).clamp(1, BLOCKS - self.blocks());
            if self.lines.capacity() < self.lines.len() + empty.len() {
                self.lines.reserve_exact(more * empty.len());
                self.owners.reserve_exact(more * BLOCK);
                if form == TemplateForm::Full {
                    self.numbers.reserve_exact(more * BLOCK * self.dimension);
                }
            }
            self.lines.extend(empty);
        }
        self.owners.push(NOBODY);
        if form == TemplateForm::Full {
            self.numbers.resize(self.rows() * self.dimension, 0.0);
        }
    }

    /// The owner of the template in a row, if there is one.
    pub(super) fn owner(&self, row: usize) -> Option<IdentityId> {
        self.owners
            .get(row)
            .copied()
            .filter(|&owner| owner != NOBODY)
    }

    /// Puts a template in a row; `numbers` are kept where the form is full.
    pub(super) fn put(
        &mut self,
        row: usize,
        owner: IdentityId,
        template: &Quantized,
        numbers: &[f32],
    ) {
        assert_ne!(owner, NOBODY, "an identity's number, 1 and up");
        self.owners[row] = owner;
        self.write(row, &template.codes, template.scale, template.radius);
        if let Some(room) = self.room(row) {
            room.copy_from_slice(numbers);
        }
    }

    /// Takes a template out and overwrites it with zeros.
    pub(super) fn clear(&mut self, row: usize) {
        self.owners[row] = NOBODY;
        self.write(row, &vec![0; self.dimension], 0.0, f32::NEG_INFINITY);
        if let Some(room) = self.room(row) {
            room.fill(0.0);
        }
    }

    /// The codes of a row.
    pub(super) fn codes(&self, row: usize) -> Vec<i8> {
        let block = self.block(row / BLOCK);
        (0..self.dimension)
            .map(|i| (block[i / 4].0[row % BLOCK * 4 + i % 4] ^ self.flip) as i8)
            .collect()
    }

    /// The numbers of a row, where they are kept.
    pub(super) fn numbers(&self, row: usize) -> Option<&[f32]> {
        self.numbers
            .get(row * self.dimension..(row + 1) * self.dimension)
    }

    /// The template in a row.
    #[allow(clippy::expect_used, reason = "only templates are put in")]
    pub(super) fn template(&self, row: usize) -> Embedding {
        match self.numbers(row) {
            Some(numbers) => Embedding::from_unit(numbers.to_vec()).ok(),
            None => expand(&self.codes(row)),
        }
        .expect("what a template left here")
    }

    /// Heap bytes.
    pub(super) fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
            + self.owners.capacity() * size_of::<IdentityId>()
            + self.numbers.capacity() * size_of::<f32>()
    }

    fn lines_per_block(&self) -> usize {
        lines_per_block(self.dimension)
    }

    fn room(&mut self, row: usize) -> Option<&mut [f32]> {
        self.numbers
            .get_mut(row * self.dimension..(row + 1) * self.dimension)
    }

    fn write(&mut self, row: usize, codes: &[i8], scale: f32, radius: f32) {
        let lines = self.lines_per_block();
        let block = &mut self.lines[row / BLOCK * lines..][..lines];
        let place = row % BLOCK * 4;
        for (line, four) in block.iter_mut().zip(codes.chunks(4)) {
            for (byte, &code) in line.0[place..].iter_mut().zip(four) {
                *byte = code as u8 ^ self.flip;
            }
        }
        block[lines - 2].0[place..][..4].copy_from_slice(&scale.to_ne_bytes());
        block[lines - 1].0[place..][..4].copy_from_slice(&radius.to_ne_bytes());
    }

    /// A block without templates: code 0, scale 0, radius minus infinity.
    fn empty_block(&self) -> Vec<Line> {
        let mut block = vec![Line([self.flip; 64]); self.lines_per_block()];
        if let [.., scales, radii] = &mut block[..] {
            scales.0.fill(0);
            for radius in radii.0.as_chunks_mut::<4>().0 {
                *radius = f32::NEG_INFINITY.to_ne_bytes();
            }
        }
        block
    }
}
