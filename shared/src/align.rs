//! Closed-form similarity from five landmarks, and the warp that cuts a face by it.
//!
//! Only + - * / and sqrt in a fixed order, no fused multiply-add and no trigonometry, so the bits
//! of a crop are the same on x86-64 and on aarch64.

use std::fmt;

use crate::frame::{self, Frame, FrameError};
use crate::geometry::Point;
use crate::landmarks::Landmarks;

/// The ArcFace template for a crop of 112 x 112 pixels (Deng et al. 2019; insightface's
/// `arcface_dst`), in the order of [`Landmarks`].
const ARCFACE_112: [Point; 5] = [
    Point::new(38.2946, 51.6963),
    Point::new(73.5318, 51.5014),
    Point::new(56.0252, 71.7366),
    Point::new(41.5493, 92.3655),
    Point::new(70.7299, 92.2041),
];

/// Least ratio of the small to the large variance of five points: below it they lie on a line.
///
/// The template's own ratio is 0.6; a face in full profile keeps above 0.01.
const MIN_SPREAD_RATIO: f64 = 1e-3;

/// Least share of the template's variance that the fitted points must explain.
///
/// A frontal face explains 0.97 and more, a profile about 0.8; the template mirrored, with left
/// and right exchanged, explains 0.05.
const MIN_FIT: f64 = 0.25;

/// Most samples along each side of a crop pixel: beyond 8 the eye and the network see no change.
const MAX_SUPERSAMPLING: u32 = 8;

/// Why landmarks cannot be aligned.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum AlignError {
    /// A coordinate is NaN or infinite.
    #[error(
        "expected finite landmark coordinates, found {found} at landmark {index}; detect again"
    )]
    NotFinite {
        /// Which landmark, 0 to 4.
        index: usize,
        /// What its coordinate was.
        found: f32,
    },
    /// All landmarks lie on a line or in a point.
    #[error(
        "expected landmarks spread over a face, found them on a line or in a point; take a picture with the face larger and turned to the camera"
    )]
    Degenerate,
    /// The landmarks do not form a face, for instance with left and right exchanged.
    #[error(
        "expected landmarks shaped like a face, found a shape that explains only {fit:.2} of it; give them in image order: left eye, right eye, nose, left and right mouth corner"
    )]
    NotAFace {
        /// Share of the template's variance explained, 0 to 1.
        fit: f64,
    },
}

/// A rotation, scaling and shift of the plane: x' = a x - b y + tx, y' = b x + a y + ty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Scale times cosine.
    pub a: f32,
    /// Scale times sine.
    pub b: f32,
    /// Shift to the right, in pixels of the target.
    pub tx: f32,
    /// Shift down, in pixels of the target.
    pub ty: f32,
}

impl Similarity {
    /// Where the transform puts a point.
    pub fn apply(&self, p: Point) -> Point {
        Point::new(
            self.a * p.x - self.b * p.y + self.tx,
            self.b * p.x + self.a * p.y + self.ty,
        )
    }

    /// Pixels of the target per pixel of the source.
    pub fn scale(&self) -> f32 {
        (self.a * self.a + self.b * self.b).sqrt()
    }

    /// The transform back; none when the scale is zero or not a number.
    pub fn inverse(&self) -> Option<Similarity> {
        let (a, b) = (f64::from(self.a), f64::from(self.b));
        let (tx, ty) = (f64::from(self.tx), f64::from(self.ty));
        let square = a * a + b * b;
        let inverse = Similarity {
            a: (a / square) as f32,
            b: (-b / square) as f32,
            tx: (-(a * tx + b * ty) / square) as f32,
            ty: ((b * tx - a * ty) / square) as f32,
        };
        inverse.is_finite().then_some(inverse)
    }

    fn is_finite(&self) -> bool {
        [self.a, self.b, self.tx, self.ty]
            .iter()
            .all(|v| v.is_finite())
    }
}

/// The ArcFace landmarks in a crop of side x side pixels: the 112-pixel template times side / 112.
pub fn template(side_px: u32) -> Landmarks {
    let scale = side_px as f32 / 112.0;
    Landmarks(ARCFACE_112.map(|p| Point::new(p.x * scale, p.y * scale)))
}

/// The similarity that moves `from` onto `to` with the least sum of squared distances.
///
/// In two dimensions the optimum of Umeyama (1991) without reflection has a closed form: with p
/// and q the points less their means, a = sum(p . q) / sum(p . p), b = sum(p x q) / sum(p . p).
///
/// # Errors
/// [`AlignError`] when a coordinate is not finite, either set lies on a line, or the two shapes
/// have too little in common.
pub fn similarity(from: &Landmarks, to: &Landmarks) -> Result<Similarity, AlignError> {
    let (p, p_mean) = centered(from)?;
    let (q, q_mean) = centered(to)?;
    let (mut dot, mut cross, mut p_square, mut q_square) = (0.0, 0.0, 0.0, 0.0);
    for ([px, py], [qx, qy]) in p.iter().zip(&q) {
        dot += px * qx + py * qy;
        cross += px * qy - py * qx;
        p_square += px * px + py * py;
        q_square += qx * qx + qy * qy;
    }
    let fit = (dot * dot + cross * cross) / (p_square * q_square);
    if fit < MIN_FIT {
        return Err(AlignError::NotAFace { fit });
    }
    let (a, b) = (dot / p_square, cross / p_square);
    let fitted = Similarity {
        a: a as f32,
        b: b as f32,
        tx: (q_mean[0] - (a * p_mean[0] - b * p_mean[1])) as f32,
        ty: (q_mean[1] - (b * p_mean[0] + a * p_mean[1])) as f32,
    };
    // Coordinates near the end of f32's range can still overflow here.
    if fitted.is_finite() && fitted.inverse().is_some() {
        Ok(fitted)
    } else {
        Err(AlignError::Degenerate)
    }
}

/// The points less their mean, and the mean; refuses what is not finite or lies on a line.
fn centered(landmarks: &Landmarks) -> Result<([[f64; 2]; 5], [f64; 2]), AlignError> {
    for (index, p) in landmarks.0.iter().enumerate() {
        for found in [p.x, p.y] {
            if !found.is_finite() {
                return Err(AlignError::NotFinite { index, found });
            }
        }
    }
    let points = landmarks.0.map(|p| [f64::from(p.x), f64::from(p.y)]);
    let mut mean = [0.0_f64; 2];
    for [x, y] in points {
        mean[0] += x;
        mean[1] += y;
    }
    mean = [mean[0] / 5.0, mean[1] / 5.0];
    let centered = points.map(|[x, y]| [x - mean[0], y - mean[1]]);

    // The 2 x 2 scatter matrix has determinant / trace^2 close to small / large variance.
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for [x, y] in centered {
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    let trace = xx + yy;
    // Written so that a trace of zero, which yields NaN, is refused as well.
    let spread = (xx * yy - xy * xy) / (trace * trace);
    if spread >= MIN_SPREAD_RATIO {
        Ok((centered, mean))
    } else {
        Err(AlignError::Degenerate)
    }
}

/// A face cut from a frame and moved onto the template: RGB8, side x side.
#[derive(Clone, PartialEq, Eq)]
pub struct AlignedFace {
    side_px: u32,
    rgb: Vec<u8>,
}

impl AlignedFace {
    /// The aligned face with these side x side x 3 bytes, row-major.
    ///
    /// # Errors
    /// [`FrameError`] when the side is zero or the bytes do not fill it exactly.
    pub fn from_rgb(side_px: u32, rgb: Vec<u8>) -> Result<AlignedFace, FrameError> {
        frame::check(side_px, side_px, &rgb)?;
        Ok(AlignedFace { side_px, rgb })
    }

    /// Width and height, in pixels.
    pub fn side_px(&self) -> u32 {
        self.side_px
    }

    /// All bytes: side x side x 3, row-major, red first.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The same pixels as an `image` picture, to draw or to encode.
    pub fn to_image(&self) -> image::RgbImage {
        image::RgbImage::from_raw(self.side_px, self.side_px, self.rgb.clone())
            .expect("an aligned face holds side x side x 3 bytes")
    }
}

impl fmt::Debug for AlignedFace {
    /// The size alone, so that no face reaches a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedFace({}x{})", self.side_px, self.side_px)
    }
}

/// Cuts side x side pixels from the frame, each the mean of n x n bilinear samples.
///
/// n = frame pixels per face pixel, rounded up, 1 to 8: a face larger than its crop is averaged
/// down rather than sampled with gaps. Beyond the frame its edge pixels are repeated, as in the
/// training sets whose source pictures end close to the face.
pub fn warp(frame: &Frame, frame_from_face: &Similarity, side_px: u32) -> AlignedFace {
    let samples = supersampling(frame_from_face);
    let step = 1.0 / samples as f32;
    // Sample centers within a pixel, from -0.5 to 0.5 around its middle.
    let offsets: Vec<f32> = (0..samples)
        .map(|i| (i as f32 + 0.5) * step - 0.5)
        .collect();
    let weight = 1.0 / (samples * samples) as f32;

    let mut rgb = Vec::with_capacity(3 * (side_px as usize).pow(2));
    for y in 0..side_px {
        for x in 0..side_px {
            let mut sum = [0.0_f32; 3];
            for &dy in &offsets {
                for &dx in &offsets {
                    let face = Point::new(x as f32 + dx, y as f32 + dy);
                    let sample = bilinear(frame, frame_from_face.apply(face));
                    for (total, value) in sum.iter_mut().zip(sample) {
                        *total += value;
                    }
                }
            }
            // A cast to u8 truncates and saturates: + 0.5 rounds to nearest.
            rgb.extend(sum.map(|total| (total * weight + 0.5) as u8));
        }
    }
    AlignedFace { side_px, rgb }
}

fn supersampling(frame_from_face: &Similarity) -> u32 {
    // The small allowance keeps a face of exactly the crop's size, up to rounding, at one sample.
    let scale = frame_from_face.scale() - 1e-4;
    // A cast to u32 takes NaN and negatives to 0.
    (scale.ceil() as u32).clamp(1, MAX_SUPERSAMPLING)
}

/// Red, green, blue at a place between four pixel centers, 0 to 255; the edge is repeated.
fn bilinear(frame: &Frame, at: Point) -> [f32; 3] {
    let (x0, x1, fx) = neighbors(at.x, frame.width_px());
    let (y0, y1, fy) = neighbors(at.y, frame.height_px());
    let (upper_left, upper_right) = (frame.pixel(x0, y0), frame.pixel(x1, y0));
    let (lower_left, lower_right) = (frame.pixel(x0, y1), frame.pixel(x1, y1));
    std::array::from_fn(|c| {
        let upper = lerp(upper_left[c], upper_right[c], fx);
        let lower = lerp(lower_left[c], lower_right[c], fx);
        upper + (lower - upper) * fy
    })
}

fn lerp(from: u8, to: u8, share: f32) -> f32 {
    let (from, to) = (f32::from(from), f32::from(to));
    from + (to - from) * share
}

/// The two pixel centers around a coordinate and the share of the second, clamped into the frame.
fn neighbors(at: f32, length: u32) -> (u32, u32, f32) {
    let last = length - 1;
    // max and min, unlike clamp, take NaN to 0.
    let at = at.max(0.0).min(last as f32);
    // The cast truncates, which for what is not negative is the floor, without a library call.
    let low = at as u32;
    (low, (low + 1).min(last), at - low as f32)
}

#[cfg(test)]
mod tests;
