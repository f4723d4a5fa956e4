"""What a LOOK costs a tutor, by the code of its finding: a glance, some reading, or a run."""

from collections.abc import Mapping

GLANCE, READING, RUN = range(3)  # at one picture or line; of code or text; of the notebook
COSTS: Mapping[str, int] = {
    **dict.fromkeys((
        "decided", "file_name", "several", "other_assignment", "no_assignment", "figure_missing", "figure_unseen",
        "figure_blank", "figure_twice", "figure_panels", "picture_kind", "numbers_missing", "results_missing",
        "numbers_contradict", "out_of_band", "collapsed", "not_decreasing", "error_output", "order",
        "elbo_sign", "codes_of_train", "results_alike", "late_bound", "few_epochs", "betas_exchanged",
    ), GLANCE),
    **dict.fromkeys((
        "not_judged", "never_judged", "rerun_error", "rerun_ended", "rerun_share", "no_training_seen",
        "drawn_untrained", "rerun_differs", "source_missing", "unreadable", "unopened", "picture_unsafe",
        "weights_from_elsewhere",
    ), RUN),
}  # fmt: skip
PICTURES = ("figure_", "grid_", "interpolation_", "panels_", "latent_", "same_panel")  # codes of what a picture shows


def is_about_pictures(code: str) -> bool:
    return code.startswith(PICTURES)


def cost_of(code: str) -> int:
    """Return what a LOOK costs: reading, where the table does not know better and no picture decides."""
    return COSTS.get(code, GLANCE if is_about_pictures(code) else READING)
