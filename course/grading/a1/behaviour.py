"""The checks by behaviour of assignment 1; its table names them, and each stands beside its thresholds."""

from course.grading.a1.pictures import grid, interpolation, latent_plot, panels, parts, ranges, walks
from course.grading.a1.printed import printed_bands, printed_terms
from course.grading.a1.training import (
    learning,
    loaders,
    models,
    objective,
    steps,
    test_images,
    test_set,
    train_ae,
)
from course.grading.a1.vae import (
    decode,
    elbo,
    encode_latent,
    flags,
    gradients,
    kl,
    nll,
    posterior,
    reductions,
    sample,
    shapes,
)

__all__ = [
    "decode", "elbo", "encode_latent", "flags", "gradients", "grid", "interpolation", "kl", "latent_plot", "learning",
    "loaders", "models", "nll", "objective", "panels", "parts", "posterior", "printed_bands", "printed_terms",
    "ranges", "reductions", "sample", "shapes", "steps", "test_images", "test_set", "train_ae", "walks",
]  # fmt: skip
