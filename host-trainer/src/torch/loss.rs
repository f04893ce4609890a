//! The losses: the paper's triplet loss, and margin softmax as the helper small data needs.

use tch::{Kind, Reduction, Tensor};

use crate::triplet::Triplet;

/// Mean over the triplets of `[ |a-p|^2 - |a-n|^2 + alpha ]+` (FaceNet, equation 3; the paper
/// sums, the mean keeps the learning rate independent of how many triplets are active).
///
/// `embeddings` is f32 [N, D] with unit rows; the triplets index its rows. None without triplets.
pub fn triplet(embeddings: &Tensor, triplets: &[Triplet], alpha: f64) -> Option<Tensor> {
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
    let squared = |others: Tensor| {
        (&anchors - others)
            .square()
            .sum_dim_intlist([1i64].as_slice(), false, Kind::Float)
    };
    let gap = squared(rows(|triplet| triplet.positive)) - squared(rows(|triplet| triplet.negative));
    Some((gap + alpha).relu().mean(Kind::Float))
}

/// Cross entropy over all training identities of `scale * (cosine - margin on the true identity)`:
/// Wang et al., "CosFace" (CVPR 2018), equation 4.
///
/// `embeddings` is f32 [N, D] with unit rows, `centers` f32 [identities, D] of any length,
/// `identities` N values of i64.
pub fn margin_softmax(
    embeddings: &Tensor,
    centers: &Tensor,
    identities: &Tensor,
    scale: f64,
    margin: f64,
) -> Tensor {
    let norms = centers
        .norm_scalaropt_dim(2.0, [1i64].as_slice(), true)
        .clamp_min(1e-12);
    let cosines = embeddings.matmul(&(centers / norms).tr());
    let truth = identities.unsqueeze(1);
    let margins = cosines.zeros_like().scatter_value(1, &truth, margin);
    ((cosines - margins) * scale).cross_entropy_loss::<Tensor>(
        identities,
        None,
        Reduction::Mean,
        -100,
        0.0,
    )
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
            triplet(&embeddings, triplets, 0.2)
                .unwrap()
                .double_value(&[])
        };
        assert_eq!(loss(&[easy]), 0.0);
        assert!((loss(&[hard]) - 2.2).abs() < 1e-6);
        assert!((loss(&[easy, hard]) - 1.1).abs() < 1e-6);
        assert!(triplet(&embeddings, &[], 0.2).is_none());
    }

    #[test]
    fn margin_softmax_of_known_cosines() {
        let embeddings = Tensor::from_slice(&[1.0f32, 0.0]).view([1, 2]);
        let centers = Tensor::from_slice(&[3.0f32, 0.0, 0.0, 5.0]).view([2, 2]);
        let truth = Tensor::from_slice(&[0i64]);
        let loss = margin_softmax(&embeddings, &centers, &truth, 2.0, 0.25).double_value(&[]);
        // Logits 2 * (1 - 0.25) and 0.
        assert!((loss - (1.0 + (-1.5f64).exp()).ln()).abs() < 1e-6);
    }
}
