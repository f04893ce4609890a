//! The losses: the paper's triplets, and what helps small data: margin softmax and a teacher.

use tch::{Kind, Reduction, Tensor};

use super::operator::KIND;
use crate::config::{Margin, SoftmaxConfig, SoftmaxKind};
use crate::triplet::Triplet;

/// Bound that keeps an arc cosine's derivative finite.
const COSINE_BOUND: f64 = 1.0 - 1e-6;

/// Mean over the triplets of `[ |a-p|^2 - |a-n|^2 + alpha ]+` (FaceNet, equation 3; the paper
/// sums, the mean keeps the learning rate independent of how many triplets are active), or with
/// [`Margin::Soft`] of `ln(1 + exp(|a-p|^2 - |a-n|^2))` (Hermans et al. 2017, section 2).
///
/// `embeddings` is f32 [N, D] with unit rows; the triplets index its rows. None without triplets.
pub fn triplet(
    embeddings: &Tensor,
    triplets: &[Triplet],
    margin: Margin,
    alpha: f64,
) -> Option<Tensor> {
    if triplets.is_empty() {
        return None;
    }
    let rows = |pick: fn(&Triplet) -> usize| {
        let indices: Vec<i64> = triplets
            .iter()
            .map(|triplet| pick(triplet) as i64)
            .collect();
        embeddings.index_select(
            0,
            &Tensor::from_slice(&indices).to_device(embeddings.device()),
        )
    };
    let anchors = rows(|triplet| triplet.anchor);
    let squared = |others: Tensor| sum_over_rows(&(&anchors - others).square());
    let gap = squared(rows(|triplet| triplet.positive)) - squared(rows(|triplet| triplet.negative));
    let each = match margin {
        Margin::Hinge => (gap + alpha).relu(),
        Margin::Soft => gap.softplus(),
    };
    Some(each.mean(Kind::Float))
}

/// Cross entropy over identities of `scale` times the cosine to each identity's center, the true
/// one's lowered by the margin: by a cosine (Wang et al., "CosFace", CVPR 2018, equation 4) or by
/// an angle in radians (Deng et al., "ArcFace", CVPR 2019, equation 3).
///
/// `embeddings` is f32 [N, D] with unit rows, `centers` f32 [identities, D] of any length,
/// `identities` N indices of centers, i64.
pub fn margin_softmax(
    embeddings: &Tensor,
    centers: &Tensor,
    identities: &Tensor,
    config: &SoftmaxConfig,
) -> Tensor {
    let cosines = embeddings.matmul(&unit_rows(centers).tr());
    let truth = identities.unsqueeze(1);
    let logits = match config.kind {
        SoftmaxKind::CosFace => {
            let margins = Tensor::full(truth.size(), -config.margin, (KIND, cosines.device()));
            cosines.scatter_add(1, &truth, &margins)
        }
        SoftmaxKind::ArcFace => {
            let own = cosines.gather(1, &truth, false);
            let bounded = own.clamp(-COSINE_BOUND, COSINE_BOUND);
            // Beyond pi - margin the cosine would rise again; there the loss goes on as CosFace's.
            let wide = own.lt((std::f64::consts::PI - config.margin).cos());
            let lowered = (bounded.acos() + config.margin).cos();
            let lowered = (&own - config.margin * config.margin.sin()).where_self(&wide, &lowered);
            cosines.scatter(1, &truth, &lowered)
        }
    };
    (logits * config.scale).cross_entropy_loss::<Tensor>(
        identities,
        None,
        Reduction::Mean,
        -100,
        0.0,
    )
}

/// How far a student's embeddings are from a teacher's, 0 at best.
///
/// Of equal dimension: the mean of `|student - teacher|^2` (0 to 4). Of another dimension, where
/// rows cannot be compared: the mean squared difference of the two matrices of cosines between
/// the batch's rows, times N (Park et al., "Relational Knowledge Distillation", CVPR 2019, in its
/// simplest form).
///
/// Both are f32 with unit rows, [N, D] and [N, E]; `teacher` takes no gradient.
pub fn distillation(student: &Tensor, teacher: &Tensor) -> Tensor {
    if student.size() == teacher.size() {
        return sum_over_rows(&(student - teacher).square()).mean(Kind::Float);
    }
    let relations = |rows: &Tensor| rows.matmul(&rows.tr());
    let rows = student.size()[0] as f64;
    (relations(student) - relations(teacher))
        .square()
        .mean(Kind::Float)
        * rows
}

fn sum_over_rows(x: &Tensor) -> Tensor {
    x.sum_dim_intlist([1i64].as_slice(), false, Kind::Float)
}

fn unit_rows(x: &Tensor) -> Tensor {
    let norms = x.norm_scalaropt_dim(2.0, [1i64].as_slice(), true);
    x / norms.clamp_min(1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triplet_loss_of_known_distances() {
        // |a-p|^2 = 2, |a-n|^2 = 4 for the first; the other way round for the second.
        let embeddings = Tensor::from_slice(&[1.0f32, 0.0, 0.0, 1.0, -1.0, 0.0]).view([3, 2]);
        let (easy, hard) = (
            Triplet {
                anchor: 0,
                positive: 1,
                negative: 2,
            },
            Triplet {
                anchor: 0,
                positive: 2,
                negative: 1,
            },
        );
        let loss = |triplets: &[Triplet]| {
            triplet(&embeddings, triplets, Margin::Hinge, 0.2)
                .unwrap()
                .double_value(&[])
        };
        assert_eq!(loss(&[easy]), 0.0);
        assert!((loss(&[hard]) - 2.2).abs() < 1e-6);
        assert!((loss(&[easy, hard]) - 1.1).abs() < 1e-6);
        assert!(triplet(&embeddings, &[], Margin::Hinge, 0.2).is_none());
    }

    #[test]
    fn soft_margin_of_known_distances() {
        let embeddings = Tensor::from_slice(&[1.0f32, 0.0, 0.0, 1.0, -1.0, 0.0]).view([3, 2]);
        let hard = Triplet {
            anchor: 0,
            positive: 2,
            negative: 1,
        };
        let loss = triplet(&embeddings, &[hard], Margin::Soft, 0.2).unwrap();
        assert!((loss.double_value(&[]) - (1.0 + 2f64.exp()).ln()).abs() < 1e-6);
    }

    fn softmax(kind: SoftmaxKind, angle: f64) -> f64 {
        let (sin, cos) = angle.sin_cos();
        let embeddings = Tensor::from_slice(&[cos as f32, sin as f32, 0.0]).view([1, 3]);
        // The other center is at a right angle throughout.
        let centers = Tensor::from_slice(&[3.0f32, 0.0, 0.0, 0.0, 0.0, 5.0]).view([2, 3]);
        let config = SoftmaxConfig {
            kind,
            scale: 2.0,
            margin: 0.25,
            weight: 1.0,
            until: 1.0,
        };
        margin_softmax(&embeddings, &centers, &Tensor::from_slice(&[0i64]), &config)
            .double_value(&[])
    }

    #[test]
    fn margin_softmax_of_known_cosines() {
        let entropy = |own: f64| (1.0 + (-2.0 * own).exp()).ln();
        let angle = 0.4f64;
        let cases = [
            (SoftmaxKind::CosFace, angle.cos() - 0.25),
            (SoftmaxKind::ArcFace, (angle + 0.25).cos()),
        ];
        for (kind, own) in cases {
            let expected = entropy(own);
            assert!((softmax(kind, angle) - expected).abs() < 1e-6, "{kind:?}");
        }
        // At the far side the loss still rises with the angle.
        let far = |angle| softmax(SoftmaxKind::ArcFace, angle);
        assert!(far(3.1) > far(2.95) && far(2.95) > far(2.8));
    }

    #[test]
    fn distillation_of_known_rows() {
        let student = Tensor::from_slice(&[1.0f32, 0.0, 0.0, 1.0]).view([2, 2]);
        let teacher = Tensor::from_slice(&[0.0f32, 1.0, 0.0, 1.0]).view([2, 2]);
        assert_eq!(distillation(&student, &teacher).double_value(&[]), 1.0);
        assert_eq!(distillation(&student, &student).double_value(&[]), 0.0);
        // Cosines of the student's rows: 1 and 0; of the teacher's: 1 and 0.6, off by 0.6 twice.
        let wider = Tensor::from_slice(&[1.0f32, 0.0, 0.0, 0.6, 0.8, 0.0]).view([2, 3]);
        let loss = distillation(&student, &wider).double_value(&[]);
        assert!((loss - 2.0 * 2.0 * 0.36 / 4.0).abs() < 1e-6, "{loss}");
    }
}
