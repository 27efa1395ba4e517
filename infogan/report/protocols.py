"""What each metric is, in a line; the protocols in full stand where it is measured."""

from collections.abc import Sequence

# `{}` in a name and in its text is a factor.
PROTOCOLS = {
    "accuracy_matched": "argmax of Q(c1 given x) on test images, mapped one-to-one to digits",
    "accuracy_majority": "the same, each category mapped to its most frequent class",
    "nmi": "normalised mutual information of the same predictions and the labels",
    "ari": "adjusted Rand index of the same",
    "accuracy_matched_batch_statistics": "accuracy_matched with batch norm on batch statistics",
    "accuracy_majority_batch_statistics": "accuracy_majority likewise",
    "nmi_batch_statistics": "nmi likewise",
    "ari_batch_statistics": "ari likewise",
    "accuracy_generated": "share of generated images in which the judge sees c1's digit",
    "bound_cat_nats": "L_I of the categorical codes on fresh samples; at most ln 10 = 2.30 for c1",
    "bound_cat_training_nats": "L_I of the categorical codes in training, batch norm on batch "
    "statistics: mean over the last tenth of the steps",
    "bound_cont_nats": "L_I of the continuous codes together, with Q's std as trained",
    "bound_cont_fitted_nats": "the same with the best constant std",
    "bound_cat_refit_nats": "bound_cat_nats of a copy of Q, fitted on to the frozen generator",
    "bound_cont_refit_nats": "the same for the continuous codes, with a learned std",
    "slant_spearman": "rank correlation of the slant code with the slant of digits, abs(c) <= 1",
    "slant_spearman_extrapolated": "the same for 1 < abs(c) <= 2, the lower of both sides",
    "slant_spearman_unsigned": "slant_spearman in each trajectory's own direction",
    "width_spearman": "rank correlation of the width code with the width of digits, abs(c) <= 1",
    "width_spearman_extrapolated": "the same for 1 < abs(c) <= 2, the lower of both sides",
    "width_spearman_unsigned": "width_spearman in each trajectory's own direction",
    "slant_share": "share of the slant's variance within a digit that the slant code explains",
    "slant_change": "mean change of the slant from code -1 to 1, in radians",
    "width_share": "share of the width's variance within a digit that the width code explains",
    "width_change": "mean change of the width from code -1 to 1, in pixels",
    "slant_share_together": "share of the slant's variance within a category and a digit that all "
    "continuous codes explain together",
    "width_share_together": "the same of the width",
    "thickness_share_together": "the same of the strokes' thickness",
    "height_share_together": "the same of the height",
    "area_share_together": "the same of the inked area",
    "length_share_together": "the same of the strokes' length",
    "beyond_affine": "squared change from code -1 to 1 that no affine map explains, over that "
    "between any two images",
    "digit_kept": "share of traversal images that show the digit of their row's middle, "
    "abs(c) <= 1",
    "digit_kept_extrapolated": "the same for 1 < abs(c) <= 2",
    "{}_spearman": "rank correlation of {}, read off generated images, with its code, abs(c) <= 1",
    "{}_spearman_extrapolated": "the same for 1 < abs(c) <= 2, the lower of both sides",
    "{}_spearman_unsigned": "the same in each trajectory's own direction, abs(c) <= 1",
    "{}_share": "share of the variance of {}, read off generated images, that its code explains",
    "{}_share_together": "share of the variance of {}, read off generated images of the same "
    "categories, that all continuous codes explain together",
    "{}_change": "mean change of {} from code -1 to 1, in its own unit",
    "frechet_classifier": "Frechet distance to 10,000 training images on the judge's features",
    "mig": "mutual information gap of Q's continuous codes on real test images",
    "factor_vae": "FactorVAE score of the same",
    "dci_disentanglement": "how much each of these codes serves one factor alone, by forests",
    "dci_completeness": "how much each factor is served by one of these codes alone",
    "dci_informativeness": "R2 with which forests predict the factors from these codes",
    "{}_code_spearman": "rank correlation of {} with Q's code for it, on real test images",
    "{}_code_r2": "share of the variance of {} that this code explains there",
    "{}_category_share": "largest share of the entropy of {} that a categorical code gives away",
    "bound_cat_settling_step": "step from which the bound of c1 stays within 10% of its end",
    "generator_loss_settling_step": "the same for G's loss",
    "discriminator_loss_settling_step": "the same for D's loss",
    "settling_ratio": "bound_cat_settling_step over the earlier of the two losses'",
}


def protocol(metric: str, factors: Sequence[str] = ()) -> str:
    """What a metric is, on data with these factors; empty for an unknown one."""
    for factor in factors:
        if text := PROTOCOLS.get("{}" + metric.removeprefix(factor)):
            return text.format(factor)
    return PROTOCOLS.get(metric, "")
