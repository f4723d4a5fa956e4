"""Assignment 4: a convolutional VAE on MNIST."""

from course.assignments.task import Assignment, Figure, Task

# ---------------------------------------------------------------- bands

CONV_TEST_ELBO = (70.0, 160.0)  # -ELBO, nats per image


# ---------------------------------------------------------------- the table

ASSIGNMENT = Assignment(
    key="a4",
    title="A convolutional VAE on MNIST",
    notebooks=("05_mnist_conv_vae",),
    images=("mnist",),
    tasks=(
        Task(
            name="1",
            asks="implement calc_elbo: log-likelihood and KL",
            requires="calc_elbo: log-likelihood minus KL divergence.",
            defines=("calc_elbo",),
            regions=("mnist_conv_vae.calc_elbo",),
            checks=("calc_elbo",),
            from_outputs=("identity", "divergence", "deviation", "noise"),
            from_rerun=("elbo",),
            own_ways=("likelihood_and_kl",),
        ),
        Task(
            name="2",
            asks="implement sample, and show samples",
            requires="Samples from the prior, decoded.",
            defines=("sample",),
            figures=("conv_vae_samples",),
            regions=("mnist_conv_vae.sample",),
            checks=("sample",),
            from_outputs=("figure", "prior", "pictures_open", "not_blank", "not_twice"),
            from_rerun=("sample",),
            own_ways=("samples",),
            words=(
                "sample",
                "conv_vae_samples",
                "stichprobe",
                "generated",
                "prior",
                "erzeugt",
                "gezogen",
                "сген",
                "выбор",
            ),
            calls=("sample",),
            elsewhere=("test_sample", "interpol", "travers", "reconstr", "rekonstr"),
            expected=("conv_vae_samples",),
        ),
        Task(
            name="3",
            asks="build encoder and decoder from convolutions",
            requires="Encoder and decoder of convolutions.",
            defines=("VAE|Encoder|ConvEncoder",),
            uses=("Conv2d", "ConvTranspose2d"),
            regions=("core.networks.ConvEncoder.__init__", "core.networks.ConvDecoder.__init__"),
            checks=("encoder", "decoder"),
            from_outputs=("convolutions",),
        ),
        Task(
            name="4",
            asks="train on MNIST, log the terms, report the test ELBO",
            requires="Training that raises the ELBO, logged with its two terms; the ELBO on the test set.",
            prints=(("an ELBO with its value", r"ELBO(?:(?!ELBO)\D){0,999}\d"),),
            figures=("conv_vae_training",),
            regions=("mnist_conv_vae.train",),
            checks=("train", "test_elbo"),
            from_outputs=(
                "test_elbo",
                "test_set",
                "losses_fall",
                "zero_grad",
                "trains_on_test",
                "pictures_open",
                "not_blank",
                "not_twice",
            ),
            from_rerun=("zero_grad", "losses_fall", "trains_on_test", "trained"),
            words=("training", "elbo", "loss"),
            expected=("conv_vae_training",),
        ),
        Task(
            name="5",
            asks="walk through the latent space between two digits",
            requires="Interpolations between codes of two digits.",
            figures=("conv_vae_interpolations",),
            checks=("walk",),
            from_outputs=("figure", "decoded", "pictures_open", "not_blank", "panels_differ", "not_twice"),
            words=("interpol", "travers", "интерпол", "walk", "von einer", "morph"),
            calls=("interpolate", "traverse", "latent_traversal", "interpolations", "lerp", "slerp"),
            expected=("conv_vae_interpolations", "conv_vae_traversals"),
        ),
    ),
    figures=(
        Figure("conv_vae_optimizers", "noisy"),
        Figure("conv_vae_training", "noisy", ("train", "elbo_history", "losses")),
        Figure("conv_vae_samples", "decoded", ("sample",)),
        Figure("conv_vae_aggregate", "drawn"),
        Figure("conv_vae_rates", "trained"),
        Figure("conv_vae_interpolations", "decoded", ("interpolate", "traverse", "latent_traversal")),
        Figure("conv_vae_traversals", "decoded"),
    ),
    marks=("calc_elbo", "elbo_history"),
    hints={
        "test_of_train": "The test set is made from training images: load the test half, train=False.",
        "no_convolution": "Neither Conv2d nor ConvTranspose2d was found among the executed cells.",
    },
)
