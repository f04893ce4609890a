//! What the gallery file promises: exact bytes, and no damage goes unseen.
