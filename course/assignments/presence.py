"""The assignments as data: which notebooks answer each, what its tasks ask for, and what shows that they are there.

One table for handing in, checking and handing out. It says what must be *present*; whether it is right is for grading.
"""

from typing import NamedTuple


class Figure(NamedTuple):
    """A figure that an assignment expects."""

    name: str  # of its file
    drawn_by: tuple[str, ...] = ()  # a picture under a cell that uses one of these counts too: not all assignments name


class Task(NamedTuple):
    """One task and the traces that doing it leaves in a notebook."""

    name: str
    asks: str
    defines: tuple[str, ...] = ()  # functions, classes, methods or variables; "a|b": either
    uses: tuple[str, ...] = ()  # names that occur in the code; "a|b": either
    prints: tuple[tuple[str, str], ...] = ()  # what is printed, and a pattern that finds it
    writes: tuple[tuple[str, str], ...] = ()  # what text cells say, and a pattern that finds it
    figures: tuple[Figure, ...] = ()
    regions: tuple[str, ...] = ()  # functions of the helpers that the student version leaves open


class Assignment(NamedTuple):
    title: str
    notebooks: tuple[str, ...]  # stems, in the order in which they are joined
    tasks: tuple[Task, ...]

    @property
    def modules(self) -> tuple[str, ...]:
        """The helper modules of its notebooks, which bear the same names."""
        return tuple(stem.split("_", 1)[1] for stem in self.notebooks)


ASSIGNMENTS = {
    "a1": Assignment(
        "VAEs on toy data and MNIST",
        ("02_toy_vae", "04_mnist_beta_vae"),
        (
            Task(
                "A1",
                "implement the VAE: forward pass with ELBO, KL and NLL, and sampling",
                defines=("VAE", "VAE.forward", "VAE.sample"),
                regions=(
                    "core.gaussian.rsample", "core.gaussian.kl_per_latent", "core.gaussian.log_prob",
                    "core.objective.Terms.elbo", "toy_vae.VAE.terms", "toy_vae.VAE.encode", "toy_vae.VAE.likelihood",
                    "toy_vae.VAE.decode", "toy_vae.VAE.sample", "toy_vae.VAE.sample_posterior",
                    "toy_vae.VAE.encode_latent",
                ),
            ),
            Task(
                "A2",
                "train the VAE on the three toy datasets and draw curves and samples",
                defines=("train_vae",),
                figures=tuple(
                    Figure(f"part_a_vae_{rest}")
                    for rest in (
                        "dataset1", "dataset1_samples", "dataset2", "dataset2_samples", "dataset3", "dataset3_samples",
                        "dataset3_latent",
                    )
                ),
                regions=("core.objective.beta_objective", "toy_vae.vae_objective"),
            ),
            Task(
                "B1",
                "implement the autoencoder and its training",
                defines=("Encoder.forward", "Decoder.forward", "Autoencoder", "train_ae"),
                regions=(
                    "mnist_beta_vae.Encoder.forward", "mnist_beta_vae.Decoder.forward", "mnist_beta_vae.train_ae",
                ),
            ),
            Task("B2", "train the autoencoder and VAEs with beta = 1, 3, 10", uses=("Autoencoder", "VAE", "train_ae")),
            Task(
                "B3",
                "draw the latent spaces of the four models",
                defines=("plot_latent2D",),
                figures=(Figure("part_b_latent_space", ("plot_latent2D",)),),
                regions=("mnist_beta_vae.plot_latent2D",),
            ),
            Task(
                "B4",
                "decode a grid of codes with each of the four models",
                defines=("plot_reconstructed",),
                figures=(Figure("part_b_reconstructions", ("plot_reconstructed",)),),
                regions=("core.latent.grid", "mnist_beta_vae.plot_reconstructed"),
            ),
            Task(
                "B5",
                "interpolate between a 0 and a 1 with each of the four models",
                defines=("interpolate",),
                figures=(Figure("part_b_interpolations", ("interpolate",)),),
                regions=("core.latent.interpolate", "mnist_beta_vae.interpolation"),
            ),
        ),
    ),
    "a2": Assignment(
        "A VAE by hand, in NumPy",
        ("01_numpy_vae",),
        (
            Task("1", "generate the data", defines=("X_true",), regions=("numpy_vae.generate_data",)),
            Task(
                "3",
                "compute the forward pass and the loss of scenario 1, and report them",
                defines=("mu", "Z", "X_prime"),
                prints=(
                    ("a value of L_recon", r"L_recon\D*\d"),
                    ("a value of L_KL", r"L_KL\D*\d"),
                    ("a value of the loss", r"(?i)\bloss\b\D*\d"),
                ),
                regions=(
                    "numpy_vae.encode", "numpy_vae.reparameterize", "numpy_vae.decode", "numpy_vae.squared_error",
                    "numpy_vae.kl_divergence", "numpy_vae.vae_loss",
                ),
            ),
            Task(
                "4",
                "repeat it for the collapsed encoder, report and compare",
                prints=(
                    ("L_recon a second time", r"(?is)L_recon.*L_recon"),
                    ("L_KL a second time", r"(?is)L_KL.*L_KL"),
                ),
                writes=(("what the collapse does", r"(?i)collapse"),),
            ),
            Task(
                "5",
                "compute both losses at beta = 0.2 and discuss",
                prints=(("the losses at beta = 0.2", r"0\.2\b"),),
                writes=(("what beta does", r"(?i)beta"),),
            ),
        ),
    ),
    "a3": Assignment(
        "A VAE on the Swiss roll",
        ("03_swiss_roll",),
        (
            Task(
                "reparameterize",
                "implement the reparameterization trick, and say why it is needed",
                defines=("VAE.reparameterize",),
                writes=(("why reparameterization is needed", r"(?i)reparameteri[sz]"),),
                regions=("core.gaussian.rsample", "swiss_roll.VAE.reparameterize"),
            ),
            Task(
                "KL",
                "implement the KL divergence in the loss",
                defines=("compute_vae_loss",),
                regions=(
                    "core.gaussian.kl_per_latent", "core.objective.beta_objective", "swiss_roll.compute_vae_loss",
                    "swiss_roll.score_function_loss",
                ),
            ),
            Task(
                "train",
                "train the VAE and draw reconstructions and latent space",
                defines=("train_vae", "visualize_reconstructions", "visualize_latent_space"),
                figures=(
                    Figure("swiss_roll_reconstructions", ("visualize_reconstructions",)),
                    Figure("swiss_roll_latent_space", ("visualize_latent_space",)),
                ),
            ),
            Task(
                "visualize",
                "draw the latent space before, during and after training",
                defines=("train_vae_with_visualization",),
                figures=(Figure("swiss_roll_training", ("train_vae_with_visualization",)),),
            ),
            Task("experiment", "change the latent dimension or the width", uses=("latent_dim|hidden_dim",)),
            Task(
                "report",
                "say what you observed of reconstruction and continuity",
                writes=(("how continuous the latent space is", r"(?i)continu"),),
            ),
        ),
    ),
    "a4": Assignment(
        "A convolutional VAE on MNIST",
        ("05_mnist_conv_vae",),
        (
            Task(
                "1",
                "implement calc_elbo: log-likelihood and KL",
                defines=("calc_elbo",),
                regions=(
                    "core.gaussian.rsample", "core.gaussian.kl_per_latent", "core.objective.bernoulli_nll",
                    "mnist_conv_vae.calc_elbo",
                ),
            ),
            Task(
                "2",
                "implement sample, and show samples",
                defines=("sample",),
                figures=(Figure("conv_vae_samples", ("sample",)),),
                regions=("mnist_conv_vae.sample",),
            ),
            Task(
                "3",
                "build encoder and decoder from convolutions",
                defines=("VAE|Encoder|ConvEncoder",),
                uses=("Conv2d", "ConvTranspose2d"),
                regions=("core.networks.ConvEncoder.__init__", "core.networks.ConvDecoder.__init__"),
            ),
            Task(
                "4",
                "train on MNIST, log the terms, report the test ELBO",
                prints=(("an ELBO with its value", r"ELBO\D*\d"),),
                figures=(Figure("conv_vae_training", ("train", "elbo_history", "losses")),),
                regions=("mnist_conv_vae.train",),
            ),
            Task(
                "5",
                "walk through the latent space between two digits",
                figures=(Figure("conv_vae_interpolations", ("interpolate", "traverse", "latent_traversal")),),
                regions=("core.latent.interpolate",),
            ),
        ),
    ),
    "a5": Assignment(
        "Exploring the latent space of a Fashion-MNIST VAE",
        ("06_fashion_latent_space",),
        (
            Task("1", "draw the test set's codes in the plane", uses=("TSNE",), figures=(
                Figure("fashion_tsne", ("TSNE", "scatter")),
            )),
            Task("2", "interpolate between two images, in pixels and in codes", figures=(
                Figure("fashion_interpolation", ("show_interpolation_strip",)),
            )),
            Task(
                "3",
                "compute the direction from sneaker to ankle boot and add it to a sandal",
                defines=("boot_direction|attribute_direction",),
                figures=(Figure("fashion_arithmetic", ("boot_direction",)),),
                regions=("fashion_latent_space.attribute_direction", "fashion_latent_space.add_direction"),
            ),
            Task(
                "4",
                "decode a grid over two latents",
                figures=(Figure("fashion_regions", ("grid", "grid_size")),),
                regions=("core.latent.grid", "fashion_latent_space.region_map"),
            ),
            Task(
                "5",
                "generate variations of one category",
                figures=(Figure("fashion_bags", ("noise", "variations", "center", "z_center", "show_grid")),),
                writes=(("which category and how", r"(?i)exercise 5|experiment|categor"),),
                regions=("fashion_latent_space.neighbourhood",),
            ),
        ),
    ),
}  # fmt: skip


def find(name: str) -> Assignment:
    """The assignment called ``a1`` to ``a5``.

    Raises:
        ValueError: another name.
    """
    if name not in ASSIGNMENTS:
        raise ValueError(f"there is no assignment {name!r}: expected one of {', '.join(ASSIGNMENTS)}")
    return ASSIGNMENTS[name]
