//! What a gallery promises: the nearest person is named, and nobody beyond the threshold.
