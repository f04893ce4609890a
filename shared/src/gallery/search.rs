//! The exact search: which identity a probe is closest to, and which comes next.
//!
//! The answer is that of comparing every template by [`SquaredL2::between`], bit for bit, several
//! times sooner. Every template is kept as int8 codes too, a quarter of its size:
//!
//! 1. A scan of all codes by the widest instructions at hand (`kernel`) gives every block of 16
//!    templates a value that bounds how close any of them can be.
//! 2. Blocks are taken from the most promising on (`tournament`); the few templates in them that
//!    can still matter are compared in f32.
//! 3. Once no block left can change the answer the search ends (`bound` has the proof).
//!
//! # Time
//! The scan always covers every template, whoever the probe is of. What varies is how many
//! templates are compared in f32: measured by `scripts/bench-search`, see [`Rescored`].
//! [`Index::search_batch`] reads the codes once for 64 probes.
//!
//! # Memory
//! Per template of n numbers: n bytes of codes (n rounded up to 16), 4 of scale, 4 of radius and 4
//! of owner; in full form 4 n of f32 too. For 128 numbers 652 bytes, in compact form 140.

mod bound;
mod chunk;
mod kernel;
#[cfg(test)]
mod naive;
mod probe;
mod quantize;
#[cfg(test)]
mod tests;
mod tournament;

use super::IdentityId;
use crate::distance::SquaredL2;
use crate::embedding::Embedding;
use bound::Limit;
use chunk::Chunk;
use kernel::{BLOCK, Kernel, Quads, TILE};
use probe::Probe;
use quantize::Quantized;
use tournament::Tournament;

pub use quantize::{compact, expand};

/// Probes whose blocks' values are held at a time by [`Index::search_batch`]: 16 MB of them for a
/// million templates.
const BATCH: usize = 64;

/// How templates are kept, in memory and in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateForm {
    /// Every number as f32: distances are exact.
    Full,
    /// Every number as int8: a template is the unit vector in the direction of its codes.
    Compact,
}

/// Where a template lies in an [`Index`]: the same from [`Index::push`] to [`Index::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

/// The identity whose best template is closest to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Whose template it is.
    pub identity: IdentityId,
    /// How far it is.
    pub distance: SquaredL2,
}

/// What a search finds: two identities at most, each by its closest template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The closest identity; of equally close ones that with the lowest number. None without templates.
    pub best: Option<Nearest>,
    /// The closest of the other identities, by the same rule.
    pub runner_up: Option<Nearest>,
}

/// How much of a search came after the scan: what of its time an onlooker could learn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescored {
    /// Blocks of 16 templates looked into again.
    pub blocks: usize,
    /// Templates compared in f32.
    pub templates: usize,
}

/// Templates, each of an identity, laid out for searching.
#[derive(Clone, Debug)]
pub struct Index {
    dimension: usize,
    form: TemplateForm,
    kernel: Kernel,
    /// All full but the last.
    chunks: Vec<Chunk>,
    /// Rows whose template was taken out.
    holes: Vec<Slot>,
    owners: Owners,
}

/// Whose templates have been added since the index was last empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owners {
    None,
    One(IdentityId),
    Several,
}

impl Index {
    /// An empty index of templates of `dimension` numbers.
    pub fn new(dimension: usize, form: TemplateForm) -> Index {
        Index::with_kernel(dimension, form, Kernel::best())
    }

    fn with_kernel(dimension: usize, form: TemplateForm, kernel: Kernel) -> Index {
        Index {
            dimension,
            form,
            kernel,
            chunks: Vec::new(),
            holes: Vec::new(),
            owners: Owners::None,
        }
    }

    /// Adds a template of an identity; where one was removed, if any was.
    ///
    /// In compact form what is kept is the template that its [`compact`] codes stand for.
    ///
    /// # Panics
    /// When the template has another dimension: it comes from another model.
    #[allow(clippy::expect_used, reason = "compact never gives zeros alone")]
    pub fn push(&mut self, owner: IdentityId, template: &Embedding) -> Slot {
        assert_eq!(
            template.dimension(),
            self.dimension,
            "a template of this model"
        );
        let quantized = match self.form {
            TemplateForm::Full => Quantized::nearest(template.values()),
            TemplateForm::Compact => {
                let codes = compact(template);
                let kept = expand(&codes).expect("codes with a direction");
                Quantized::exact(codes, kept.values())
            }
        };
        self.put(owner, &quantized, template.values())
    }

    /// Adds a template by its codes, without looking for better ones: as they came from a file.
    ///
    /// In full form it is the template that they stand for. None when they stand for none, or one is -128.
    ///
    /// # Panics
    /// When there are more or fewer codes than numbers in a template.
    pub fn push_codes(&mut self, owner: IdentityId, codes: &[i8]) -> Option<Slot> {
        assert_eq!(codes.len(), self.dimension, "a template of this model");
        let template = expand(codes).filter(|_| !codes.contains(&i8::MIN))?;
        Some(match self.form {
            TemplateForm::Full => self.push(owner, &template),
            TemplateForm::Compact => {
                let quantized = Quantized::exact(codes.to_vec(), template.values());
                self.put(owner, &quantized, template.values())
            }
        })
    }

    fn put(&mut self, owner: IdentityId, quantized: &Quantized, values: &[f32]) -> Slot {
        self.owners = match self.owners {
            Owners::None => Owners::One(owner),
            Owners::One(one) if one == owner => Owners::One(owner),
            _ => Owners::Several,
        };
        let slot = self.holes.pop().unwrap_or_else(|| self.grow());
        let (chunk, row) = slot.place();
        self.chunks[chunk].put(row, owner, quantized, values);
        slot
    }

    /// A row for one more template.
    fn grow(&mut self) -> Slot {
        if self
            .chunks
            .last()
            .is_none_or(|last| last.rows() == chunk::ROWS)
        {
            self.chunks
                .push(Chunk::new(self.dimension, self.kernel.flip()));
        }
        let place = self.chunks.len() - 1;
        self.chunks[place].grow(self.form);
        Slot((place * chunk::ROWS + self.chunks[place].rows() - 1) as u32)
    }

    /// Takes a template out; its numbers are overwritten with zeros.
    ///
    /// # Panics
    /// When the slot is empty.
    pub fn remove(&mut self, slot: Slot) {
        let (chunk, row) = self.filled(slot);
        self.chunks[chunk].clear(row);
        self.holes.push(slot);
        if self.is_empty() {
            self.owners = Owners::None;
        }
    }

    /// The template in a slot; in compact form the one that its codes stand for.
    ///
    /// # Panics
    /// When the slot is empty.
    pub fn template(&self, slot: Slot) -> Embedding {
        let (chunk, row) = self.filled(slot);
        self.chunks[chunk].template(row)
    }

    fn filled(&self, slot: Slot) -> (usize, usize) {
        let (chunk, row) = slot.place();
        let filled = self.chunks.get(chunk).and_then(|chunk| chunk.owner(row));
        assert!(filled.is_some(), "a filled slot");
        (chunk, row)
    }

    /// Templates in the index.
    pub fn len(&self) -> usize {
        let rows: usize = self.chunks.iter().map(Chunk::rows).sum();
        rows - self.holes.len()
    }

    /// Whether there is no template.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How templates are kept.
    pub fn form(&self) -> TemplateForm {
        self.form
    }

    /// Bytes of memory taken, spare room included.
    pub fn bytes(&self) -> usize {
        size_of::<Index>()
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.chunks.iter().map(Chunk::bytes).sum::<usize>()
            + self.holes.capacity() * size_of::<Slot>()
    }

    /// The instruction set that searches here, in a word or two.
    pub fn instructions(&self) -> &'static str {
        self.kernel.name()
    }

    /// The closest identity and the next.
    ///
    /// # Panics
    /// When the probe has another dimension: it comes from another model.
    pub fn search(&self, probe: &Embedding) -> Found {
        self.search_counting(probe).0
    }

    /// [`Index::search`], and how much work came after the scan.
    ///
    /// # Panics
    /// As [`Index::search`].
    pub fn search_counting(&self, probe: &Embedding) -> (Found, Rescored) {
        let ready = self.ready(probe);
        let mut values = vec![0.0; self.blocks()];
        self.scan(ready.quads(), [&mut values]);
        self.rescore(probe, &ready, &mut values)
    }

    /// [`Index::search`] for every probe: the codes are read once for many of them.
    ///
    /// # Panics
    /// As [`Index::search`].
    pub fn search_batch(&self, probes: &[Embedding]) -> Vec<Found> {
        let mut found = Vec::with_capacity(probes.len());
        let blocks = self.blocks();
        let mut values = vec![0.0; blocks * probes.len().min(BATCH)];
        for batch in probes.chunks(BATCH) {
            let ready: Vec<Probe> = batch.iter().map(|probe| self.ready(probe)).collect();
            self.scan_batch(&ready, &mut values);
            for (i, (probe, ready)) in batch.iter().zip(&ready).enumerate() {
                let values = &mut values[i * blocks..(i + 1) * blocks];
                found.push(self.rescore(probe, ready, values).0);
            }
        }
        found
    }

    fn ready(&self, probe: &Embedding) -> Probe {
        assert_eq!(probe.dimension(), self.dimension, "a probe of this model");
        Probe::new(probe)
    }

    fn blocks(&self) -> usize {
        self.chunks.iter().map(Chunk::blocks).sum()
    }

    /// Scans everything for P probes: the largest value of every block, one slice a probe.
    fn scan<const P: usize>(&self, probes: &Quads<P>, mut values: [&mut [f32]; P]) {
        for (c, chunk) in self.chunks.iter().enumerate() {
            let mut rooms = values
                .each_mut()
                .map(|values| &mut values[c * chunk::BLOCKS..][..chunk.blocks()]);
            self.kernel.scan(chunk.lines(), probes, &mut rooms);
        }
    }

    /// Scans everything for a batch: `values` holds every block's for the first probe, then the
    /// next. A chunk stays in the cache while all probes pass over it.
    fn scan_batch(&self, probes: &[Probe], values: &mut [f32]) {
        let blocks = self.blocks();
        let (tiles, rest) = probes.as_chunks::<TILE>();
        let joined: Vec<Quads<TILE>> = tiles
            .iter()
            .map(|tile| Quads::joined(tile.each_ref().map(Probe::quads)))
            .collect();
        let (of_tiles, of_rest) = values.split_at_mut(tiles.len() * TILE * blocks);
        for (c, chunk) in self.chunks.iter().enumerate() {
            let here = c * chunk::BLOCKS..c * chunk::BLOCKS + chunk.blocks();
            for (tile, values) in joined.iter().zip(of_tiles.chunks_mut(TILE * blocks)) {
                let mut each = values.chunks_mut(blocks);
                let mut rooms: [&mut [f32]; TILE] = std::array::from_fn(|_| {
                    each.next()
                        .map_or(&mut [][..], |values| &mut values[here.clone()])
                });
                self.kernel.scan(chunk.lines(), tile, &mut rooms);
            }
            for (probe, values) in rest.iter().zip(of_rest.chunks_mut(blocks)) {
                let mut room = [&mut values[here.clone()]];
                self.kernel.scan(chunk.lines(), probe.quads(), &mut room);
            }
        }
    }

    /// From the blocks' values to the answer: step 4 of the proof in `bound`.
    fn rescore(&self, probe: &Embedding, ready: &Probe, values: &mut [f32]) -> (Found, Rescored) {
        let mut found = Found::default();
        let mut rescored = Rescored::default();
        let mut tournament = Tournament::new(values);
        let mut limits = Limits::new(&found, ready);
        while let Some((block, value)) = tournament.take() {
            // Of a single owner nothing can become the runner-up.
            let floor = match self.owners {
                Owners::Several => limits.of_others.floor,
                _ => limits.of_best.floor,
            };
            if f64::from(value) < floor {
                break;
            }
            rescored.blocks += 1;
            let chunk = &self.chunks[block / chunk::BLOCKS];
            let block = block % chunk::BLOCKS;
            let values = self.kernel.values(chunk.block(block), ready.quads());
            for (i, value) in values.into_iter().enumerate() {
                let row = block * BLOCK + i;
                let Some(identity) = chunk.owner(row) else {
                    continue;
                };
                let limit = limits.of(identity);
                if f64::from(value) < limit.floor {
                    continue;
                }
                rescored.templates += 1;
                let decoded;
                let numbers = match chunk.numbers(row) {
                    Some(numbers) => numbers,
                    None => {
                        decoded = chunk.template(row);
                        decoded.values()
                    }
                };
                if f64::from(bound::loosely(probe.values(), numbers)) > limit.ceiling {
                    continue;
                }
                let distance = SquaredL2::between_rows(probe.values(), numbers);
                found.take(Nearest { identity, distance });
                limits = Limits::new(&found, ready);
            }
        }
        (found, rescored)
    }
}

/// What a template has to reach to matter: more is asked of the best identity's.
struct Limits {
    best: Option<IdentityId>,
    of_best: Limit,
    of_others: Limit,
}

impl Limits {
    fn new(found: &Found, probe: &Probe) -> Limits {
        let limit = |nearest: Option<Nearest>| {
            nearest.map_or(Limit::NONE, |n| Limit::new(probe, n.distance))
        };
        Limits {
            best: found.best.map(|best| best.identity),
            of_best: limit(found.best),
            of_others: limit(found.runner_up),
        }
    }

    fn of(&self, identity: IdentityId) -> Limit {
        if self.best == Some(identity) {
            self.of_best
        } else {
            self.of_others
        }
    }
}

impl Slot {
    /// Chunk, and row in it.
    fn place(self) -> (usize, usize) {
        (self.0 as usize / chunk::ROWS, self.0 as usize % chunk::ROWS)
    }
}

impl Found {
    /// Takes one more template's distance in.
    fn take(&mut self, candidate: Nearest) {
        let closer = |than: &Option<Nearest>| {
            than.is_none_or(|than| {
                (candidate.distance, candidate.identity) < (than.distance, than.identity)
            })
        };
        if self
            .best
            .is_some_and(|best| best.identity == candidate.identity)
        {
            if closer(&self.best) {
                self.best = Some(candidate);
            }
        } else if closer(&self.best) {
            self.runner_up = self.best.replace(candidate);
        } else if closer(&self.runner_up) {
            self.runner_up = Some(candidate);
        }
    }
}
