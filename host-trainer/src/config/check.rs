//! The range of every value of a config.

use super::device::DeviceChoice;
use super::{BatchConfig, Config, Precision};
use crate::dataset::augment::Augment;
use crate::triplet::Mining;

/// Most triplets of a batch, where each of them counts: memory holds three rows for each.
const BATCH_ALL_TRIPLETS: usize = 2_000_000;

/// A value out of its range.
pub(super) struct Misfit {
    pub(super) key: &'static str,
    pub(super) expected: &'static str,
    pub(super) found: String,
}

/// The first value that training cannot use.
pub(super) fn first_misfit(config: &Config) -> Option<Misfit> {
    let misfit = |right: bool, key, expected, found: &dyn std::fmt::Debug| {
        (!right).then(|| Misfit {
            key,
            expected,
            found: format!("{found:?}"),
        })
    };
    let BatchConfig {
        identities,
        per_identity,
        chunk,
        ..
    } = config.batch;
    let faces = identities.saturating_mul(per_identity);
    let others = faces.saturating_sub(per_identity);
    let triplets = faces.saturating_mul(per_identity).saturating_mul(others);
    let share = |value: f64| (0.0..=1.0).contains(&value);
    let positive = |value: f64| (0.0..=1e4).contains(&value);
    let (triplet, early) = (&config.triplet, &config.early);
    let learns = triplet.weight > 0.0 || config.softmax.is_some();
    let rising = early.windows(2).all(|pair| pair[0].until < pair[1].until);
    let stages = early.iter().all(|stage| (0.0..1.0).contains(&stage.until));
    let sides = early
        .iter()
        .all(|stage| (16..=1024).contains(&stage.side_px));
    let softmax = config.softmax.is_none_or(|softmax| {
        let values = [softmax.scale, softmax.margin, softmax.weight];
        values.into_iter().all(positive) && share(softmax.until)
    });
    let distillation = positive(config.distillation.weight) && share(config.distillation.until);
    let compatible = positive(config.compatible.weight)
        && (0.0..1.0).contains(&config.compatible.last_layer_until);
    let on_cpu = config.device == DeviceChoice::Cpu;
    let checks = [
        misfit(
            identities >= 2,
            "batch.identities",
            "at least 2",
            &identities,
        ),
        misfit(
            per_identity >= 2,
            "batch.per_identity",
            "at least 2",
            &per_identity,
        ),
        misfit(
            chunk.is_none_or(|chunk| chunk >= 2),
            "batch.chunk",
            "at least 2",
            &chunk,
        ),
        misfit(
            triplet.mining != Mining::BatchAll || triplets <= BATCH_ALL_TRIPLETS,
            "triplet.mining",
            "semi_hard or batch_hard in batches of more than 2,000,000 triplets",
            &triplet.mining,
        ),
        misfit(config.steps >= 1, "steps", "at least 1", &config.steps),
        misfit(
            (64..=512).contains(&config.dimension),
            "dimension",
            "64 to 512",
            &config.dimension,
        ),
        misfit(
            (0.01..=4.0).contains(&config.width),
            "width",
            "0.01 to 4",
            &config.width,
        ),
        misfit(
            triplet.alpha > 0.0 && triplet.alpha < 4.0,
            "triplet.alpha",
            "between 0 and 4",
            &triplet.alpha,
        ),
        misfit(
            positive(triplet.weight) && learns,
            "triplet.weight",
            "above 0, or 0 with a [softmax] to learn from",
            &triplet.weight,
        ),
        misfit(
            config.optimizer.is_usable(),
            "optimizer",
            "a learning_rate above 0, a weight_decay from 0 to 1, a momentum from 0 to below 1",
            &config.optimizer,
        ),
        misfit(
            config.checkpoint_steps >= 1,
            "checkpoint_steps",
            "at least 1",
            &config.checkpoint_steps,
        ),
        misfit(
            config.pictures_share > 0.0 && config.pictures_share <= 1.0,
            "pictures_share",
            "above 0 to 1",
            &config.pictures_share,
        ),
        misfit(config.keep >= 1, "keep", "at least 1", &config.keep),
        misfit(
            config.validation_steps >= 1,
            "validation_steps",
            "at least 1",
            &config.validation_steps,
        ),
        misfit(
            config.validation_pairs >= 20,
            "validation_pairs",
            "at least 20",
            &config.validation_pairs,
        ),
        misfit(
            config
                .minutes
                .is_none_or(|minutes| (1e-3..=1e6).contains(&minutes)),
            "minutes",
            "above 0",
            &config.minutes,
        ),
        misfit(
            config
                .gradient_clip
                .is_none_or(|norm| norm > 0.0 && norm.is_finite()),
            "gradient_clip",
            "above 0",
            &config.gradient_clip,
        ),
        misfit(
            config
                .average
                .is_none_or(|share| (0.0..1.0).contains(&share)),
            "average",
            "a share below 1",
            &config.average,
        ),
        misfit(
            config.precision == Precision::F32 || !on_cpu || has_bf16(),
            "precision",
            "f32 with device = 'cpu' on a processor without AVX512-BF16, where bf16 is slower",
            &config.precision,
        ),
        misfit(
            config.schedule.is_usable(),
            "schedule",
            "a warmup below 1, a step_factor from 0 to 1, and rising shares in steps_at with \
             course = 'step' alone",
            &config.schedule,
        ),
        misfit(
            softmax,
            "softmax",
            "positive values and a share in until",
            &config.softmax,
        ),
        misfit(
            distillation,
            "distillation",
            "a positive weight and a share in until",
            &config.distillation,
        ),
        misfit(
            compatible,
            "compatible",
            "a positive weight and a share below 1 in last_layer_until",
            &config.compatible,
        ),
        misfit(
            config.augment.is_usable(),
            "augment",
            Augment::USABLE,
            &config.augment,
        ),
        misfit(sides, "early.side_px", "16 to 1024", &early),
        misfit(
            rising && stages,
            "early.until",
            "rising shares below 1",
            &early,
        ),
    ];
    checks.into_iter().flatten().next()
}

/// Whether this processor computes in bfloat16 by instructions of its own, as libtorch then does.
pub(super) fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}
