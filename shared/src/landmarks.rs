//! The five points that a detector finds in a face and that alignment moves onto the template.

use crate::geometry::Point;

/// Five points in image order, in pixels: left-in-image eye, right-in-image eye, nose tip,
/// left-in-image mouth corner, right-in-image mouth corner.
///
/// Left and right are the viewer's, so the first eye is the subject's right one. This is the order
/// of YuNet and of the ArcFace template.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landmarks(pub [Point; 5]);

impl Landmarks {
    /// Whether every coordinate is a finite number.
    pub fn is_finite(&self) -> bool {
        self.0.iter().all(|p| p.x.is_finite() && p.y.is_finite())
    }

    /// Distance between the eyes, in pixels.
    pub fn eye_distance_px(&self) -> f32 {
        let [left, right, ..] = self.0;
        (right.x - left.x).hypot(right.y - left.y)
    }
}
