//! What trainer and device agree on, bit for bit.
