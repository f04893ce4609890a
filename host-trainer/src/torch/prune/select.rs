//! Which channels, and which directions of the last maps, foretell the rest best.

use tch::{Device, Kind, Tensor};

/// First and second moments of samples: f64, of [samples, values].
#[derive(Debug)]
pub(super) struct Moments {
    /// f64 `[values]`.
    pub(super) mean: Tensor,
    /// f64 [values, other values].
    pub(super) covariance: Tensor,
}

/// Means of `x` and covariances of `x` and `y`: f32 [samples, values] each.
pub(super) fn moments(x: &Tensor, y: &Tensor) -> Moments {
    let mean = |x: &Tensor| x.mean_dim([0i64].as_slice(), false, Kind::Double);
    let (mean_x, mean_y) = (mean(x), mean(y));
    let samples = x.size()[0] as f64;
    // Centered first, so that f32 suffices for the products.
    let centered = |x: &Tensor, mean: &Tensor| x - mean.to_kind(Kind::Float);
    let product = centered(x, &mean_x)
        .transpose(0, 1)
        .matmul(&centered(y, &mean_y));
    Moments {
        mean: mean_x,
        covariance: product.to_kind(Kind::Double) / samples,
    }
}

/// The `count` columns of `x` from which `y` can be told best by least squares, rising: chosen one
/// after the other, each the one that explains most of what is left. Both f32 [samples, values];
/// every column of `y` counts by its variance. Also the share of `y` that is left unexplained.
pub(super) fn columns(x: &Tensor, y: &Tensor, count: usize) -> (Vec<i64>, f64) {
    let mut among = moments(x, x).covariance;
    let mut across = moments(x, y).covariance;
    let width = among.size()[0];
    if count as i64 >= width {
        return ((0..width).collect(), 0.0);
    }
    let all: f64 = y
        .var_dim([0i64].as_slice(), false, false)
        .sum(Kind::Double)
        .double_value(&[]);
    let mut left = all;
    let options = (Kind::Double, Device::Cpu);
    let open = Tensor::ones([width], options);
    let least = among.diagonal(0, 0, 1).max().double_value(&[]) * 1e-9;
    let mut chosen = Vec::with_capacity(count);
    for _ in 0..count {
        let rest = among.diagonal(0, 0, 1);
        let usable = rest.gt(least).to_kind(Kind::Double) * &open;
        let explained = across
            .square()
            .sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
        // Those that are taken come last.
        let gains: Tensor = explained / rest.clamp_min(least) * usable + &open - 1.0;
        let best = gains.argmax(0, false).int64_value(&[]);
        left -= gains.double_value(&[best]).max(0.0);
        let root = rest.double_value(&[best]).max(least).sqrt();
        let (column, row) = (among.select(1, best) / root, across.select(0, best) / root);
        among -= column.outer(&column);
        across -= column.outer(&row);
        let _ = open.get(best).fill_(0.0);
        chosen.push(best);
    }
    chosen.sort_unstable();
    (chosen, (left / all).max(0.0))
}

/// The directions of the maps that a linear layer reads by which its output is told best.
#[derive(Debug)]
pub(super) struct Directions {
    /// f64 `[channels]`: what is taken from each pixel first.
    pub(super) mean: Tensor,
    /// f64 [count, channels]: to values of unit variance.
    pub(super) project: Tensor,
    /// f64 [outputs, count, pixels]: from those values to the layer's output.
    pub(super) read: Tensor,
    /// Share of the output's variance that other directions hold.
    pub(super) left: f64,
}

/// Of the linear layer `weight`, f64 [outputs, channels, pixels], over pixels like the samples:
/// f32 [samples, channels].
pub(super) fn directions(weight: &Tensor, samples: &Tensor, count: usize) -> Directions {
    let Moments { mean, covariance } = moments(samples, samples);
    let (values, vectors) = covariance.linalg_eigh("L");
    let values = values.clamp_min(values.max().double_value(&[]) * 1e-9);
    let scaled = |power: f64| (&vectors * values.pow_tensor_scalar(power)).matmul(&vectors.tr());
    let (root, inverse) = (scaled(0.5), scaled(-0.5));
    let (outputs, channels, pixels) = weight.size3().unwrap_or((0, 0, 0));
    let flat = weight
        .permute([0, 2, 1])
        .reshape([outputs * pixels, channels])
        .matmul(&root);
    let (energies, basis) = flat.tr().matmul(&flat).linalg_eigh("L");
    let count = count as i64;
    let basis = basis.narrow(1, channels - count, count);
    let kept = energies
        .narrow(0, channels - count, count)
        .sum(Kind::Double);
    let read = flat
        .matmul(&basis)
        .reshape([outputs, pixels, count])
        .permute([0, 2, 1]);
    Directions {
        mean,
        project: basis.tr().matmul(&inverse),
        read: read.contiguous(),
        left: 1.0 - (kept / energies.sum(Kind::Double)).double_value(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(samples: i64, values: i64) -> Tensor {
        tch::manual_seed(7);
        Tensor::randn([samples, values], (Kind::Float, Device::Cpu))
    }

    #[test]
    fn the_columns_that_something_is_made_of_are_found() {
        let x = noise(2000, 12);
        let y = x.select(1, 3) * 2.0 + x.select(1, 9);
        let (chosen, left) = columns(&x, &y.view([-1, 1]), 2);
        assert_eq!(chosen, [3, 9]);
        assert!(left < 1e-4, "{left}");
        let (_, left) = columns(&x, &y.view([-1, 1]), 1);
        assert!((0.15..0.25).contains(&left), "{left}");
    }

    #[test]
    fn a_column_told_by_another_is_not_chosen_twice() {
        let x = noise(2000, 3);
        let x = Tensor::cat(&[&x, &(x.narrow(1, 0, 1) * 3.0)], 1);
        let (chosen, left) = columns(&x, &x.shallow_clone(), 3);
        assert!(!(chosen.contains(&0) && chosen.contains(&3)), "{chosen:?}");
        assert!(left < 1e-4, "{left}");
    }

    #[test]
    fn directions_give_back_what_the_layer_gives() {
        // Two outputs that read two directions of five channels at four pixels.
        let channels = noise(2000, 5);
        let weight = noise(2, 5 * 4).view([2, 5, 4]).to_kind(Kind::Double);
        let through = noise(5, 2).to_kind(Kind::Double);
        let weight = through
            .matmul(&through.pinverse(1e-9))
            .matmul(&weight.permute([0, 1, 2]));
        let found = directions(&weight, &channels, 2);
        assert!(found.left < 1e-6, "{}", found.left);
        let pixel = channels.select(0, 0).to_kind(Kind::Double) - &found.mean;
        let direct = weight.select(2, 3).matmul(&pixel);
        let by_way = found
            .read
            .select(2, 3)
            .matmul(&found.project.matmul(&pixel));
        let off = (direct - by_way).abs().max().double_value(&[]);
        assert!(off < 1e-4, "{off}");
    }
}
