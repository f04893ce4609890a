//! Installations on real folders, with the power cut at every step.
