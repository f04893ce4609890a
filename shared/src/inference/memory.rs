//! Memory of pictures between operators, used again by the next picture of its size.
//!
//! A network's larger pictures are megabytes, which the system hands out and takes back page by
//! page: without this, half of the detector's time was that.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tract_onnx::tract_core::internal::*;

/// The pictures of one network. All clones are one memory.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Vec<TValue>>>);

impl Memory {
    /// A tensor of f32 of that shape, which holds whatever was last left in it.
    ///
    /// # Errors
    /// When there is no memory of that size.
    pub(super) fn take(&self, shape: &[usize]) -> TractResult<Tensor> {
        let len: usize = shape.iter().product();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Ours is the last hold on what nobody reads any more. The last one given comes first: it
        // is the likeliest to be in a cache.
        let free = |value: &TValue| value.is_exclusive() && value.len() == len;
        let Some(at) = kept.iter().rposition(free) else {
            return Tensor::zero::<f32>(shape);
        };
        kept.remove(at).into_tensor().into_shape(shape)
    }

    /// A tensor as a value, whose memory is kept.
    pub(super) fn keep(&self, tensor: Tensor) -> TValue {
        let value = tensor.into_tvalue();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(value.clone());
        value
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(value: &TValue) -> *const f32 {
        value
            .try_as_plain_ram()
            .unwrap()
            .as_slice::<f32>()
            .unwrap()
            .as_ptr()
    }

    #[test]
    fn memory_is_used_again_once_nobody_reads_it() {
        let memory = Memory::default();
        let first = memory.keep(memory.take(&[2, 3]).unwrap());
        let read = address(&first);
        let second = memory.keep(memory.take(&[3, 2]).unwrap());
        assert_ne!(address(&second), read, "the first is still read");
        drop(first);
        let other = memory.keep(memory.take(&[7]).unwrap());
        assert_ne!(address(&other), read, "another size");
        let third = memory.keep(memory.take(&[6, 1]).unwrap());
        assert_eq!((address(&third), third.shape()), (read, &[6, 1][..]));
        assert_eq!(memory.0.lock().unwrap().len(), 3);
    }
}
