"""The checks by behaviour of assignment 1; its table names them, and each stands beside its thresholds."""

from course.grading.a1.pictures import grid, interpolation, latent_plot, panels, parts, ranges, walks
from course.grading.a1.printed import printed_bands, printed_terms
from course.grading.a1.training import (
    drawn,
    image_losses_fall,
    learning,
    loaders,
    models,
    objective,
    steps,
    test_images,
    test_set,
    toy_losses_fall,
    train_ae,
    trained_autoencoder,
    trained_images,
    trained_toys,
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
    "decode", "drawn", "elbo", "encode_latent", "flags", "gradients", "grid", "image_losses_fall", "interpolation",
    "kl", "latent_plot", "learning", "loaders", "models", "nll", "objective", "panels", "parts", "posterior",
    "printed_bands", "printed_terms", "ranges", "reductions", "sample", "shapes", "steps", "test_images", "test_set",
    "toy_losses_fall", "train_ae", "trained_autoencoder", "trained_images", "trained_toys", "walks",
]  # fmt: skip
