"""Assignment 1: VAEs on toy data (part A), autoencoder against beta-VAE on MNIST (part B)."""

import math
from typing import NamedTuple

from course.assignments.task import Assignment, Figure, Task

PART_A = ("part_a", "dataset", "data set", "toy")

# ---------------------------------------------------------------- bands

ENTROPY = {
    1: math.log(2 * math.pi * math.e) + math.log(5),
    2: math.log(2 * math.pi * math.e) + math.log(5),
    3: 1.333929,
}


class Band(NamedTuple):
    """-ELBO in nats per point that an honest run prints, under one convention of the nll."""

    convention: str
    low: float
    high: float


# Low ends come from theory: the data's entropy, or the least possible rate plus distortion, less what a test set of
# 5000 (20000) points can be lucky by. High ends are honest reruns of the assigned budget, with room for other seeds.
TOY_BANDS = {
    1: (
        Band("Gaussian log-likelihood", 4.38, 4.75),
        Band("Gaussian log-likelihood without log(2 pi)", 2.54, 2.95),  # covers the halved squared error, least 2.61
        Band("squared error", 3.22, 3.75),  # least 3.30
    ),
    2: (
        Band("Gaussian log-likelihood", 4.38, 4.90),
        Band("Gaussian log-likelihood without log(2 pi)", 2.54, 3.05),
        Band("squared error", 3.22, 3.80),
    ),
    3: (
        Band("Gaussian log-likelihood", 1.30, 3.20),
        Band("Gaussian log-likelihood without log(2 pi)", -0.54, 1.29),
        Band("squared error", 1.2, 3.6),
    ),
}
COLLAPSED_KL = 0.1  # dataset 2: an exact model needs 1.609; no honest convention gets below 0.3


# ---------------------------------------------------------------- the table

ASSIGNMENT = Assignment(
    key="a1",
    title="VAEs on toy data and MNIST",
    notebooks=("02_toy_vae", "04_mnist_beta_vae"),
    images=("mnist",),
    tasks=(
        Task(
            name="A1",
            asks="implement the VAE: forward pass with ELBO, KL and NLL, and sampling",
            requires="A VAE whose forward gives x_pred, z, elbo, kl, nll, and whose sample draws from the model.",
            defines=("VAE", "VAE.forward", "VAE.sample"),
            regions=(
                "toy_vae.VAE.forward",
                "toy_vae.VAE.encode",
                "toy_vae.VAE.decode",
                "toy_vae.VAE.sample",
                "toy_vae.VAE.sample_posterior",
                "toy_vae.VAE.encode_latent",
            ),
            from_outputs=("identity", "kl_sign", "collapse", "pictures_open", "not_blank", "not_twice"),
            from_rerun=(
                "posterior",
                "encode_latent",
                "kl",
                "nll",
                "elbo",
                "decode",
                "reductions",
                "shapes",
                "gradients",
                "sample",
                "flags",
                "printed_terms",
            ),
            words=("samples", "latent"),
            expected=(
                "part_a_vae_dataset1_samples",
                "part_a_vae_dataset2_samples",
                "part_a_vae_dataset3_samples",
                "part_a_vae_dataset3_latent",
            ),
        ),
        Task(
            name="A2",
            asks="train the VAE on the three toy datasets and draw curves and samples",
            requires="A training loop for nll + beta * kl, run on the three toy sets and evaluated on their "
            "test points.",
            defines=("train_vae",),
            figures=(
                "part_a_vae_dataset1",
                "part_a_vae_dataset1_samples",
                "part_a_vae_dataset2",
                "part_a_vae_dataset2_samples",
                "part_a_vae_dataset3",
                "part_a_vae_dataset3_samples",
                "part_a_vae_dataset3_latent",
            ),
            regions=("core.training.fit", "toy_vae.vae_objective"),
            from_outputs=(
                "three_results",
                "bands",
                "vae_losses_fall",
                "zero_grad",
                "trains_on_test",
                "figure",
                "pictures_open",
                "not_blank",
                "not_twice",
            ),
            from_rerun=(
                "objective",
                "steps",
                "loaders",
                "zero_grad",
                "losses_fall",
                "test_set",
                "learning",
                "printed_bands",
            ),
            words=("part_a_vae_dataset", "elbo", "training"),
            expected=("part_a_vae_dataset1", "part_a_vae_dataset2", "part_a_vae_dataset3"),
        ),
        Task(
            name="B1",
            asks="implement the autoencoder and its training",
            requires="An autoencoder 784-512-2-512-784 with a sigmoid, trained on the mean squared error.",
            defines=("Encoder.forward", "Decoder.forward", "Autoencoder", "train_ae"),
            regions=("mnist_beta_vae.Encoder.forward", "mnist_beta_vae.Decoder.forward", "mnist_beta_vae.train_ae"),
            from_outputs=("autoencoder_there", "autoencoder_losses_fall"),
            from_rerun=("parts", "train_ae", "test_images"),
        ),
        Task(
            name="B2",
            asks="train the autoencoder and VAEs with beta = 1, 3, 10",
            requires="The autoencoder and VAEs with beta = 1, 3, 10, two latents each, trained 15 to 20 epochs.",
            uses=("Autoencoder", "VAE", "train_ae"),
            from_outputs=("betas", "pictures_open", "not_blank", "not_twice"),
            from_rerun=("models", "learning", "test_images"),
            words=("part_b_training",),
            expected=("part_b_training",),
        ),
        Task(
            name="B3",
            asks="draw the latent spaces of the four models",
            requires="Scatter plots of the four models' latent planes, more than 1500 test images coloured by digit.",
            defines=("plot_latent2D",),
            figures=("part_b_latent_space",),
            regions=("mnist_beta_vae.plot_latent2D",),
            from_outputs=("figure", "pictures_open", "not_blank", "panel_count", "not_twice"),
            from_rerun=("latent_plot", "panels"),
            words=("part_b_latent", "latent2d", "latent space", "latent_space", "task b3", "b3"),
            elsewhere=PART_A,
            panels=(1, 4),
            expected=("part_b_latent_space",),
        ),
        Task(
            name="B4",
            asks="decode a grid of codes with each of the four models",
            requires="12 x 12 grids of decoded codes, over [-5, 5] for the autoencoder and [-3, 3] for the VAEs.",
            defines=("plot_reconstructed",),
            figures=("part_b_reconstructions",),
            regions=("mnist_beta_vae.plot_reconstructed",),
            from_outputs=("figure", "pictures_open", "not_blank", "panel_count", "not_twice"),
            from_rerun=("grid", "panels", "ranges"),
            words=("part_b_reconstructions", "plot_reconstructed", "reconstruct", "task b4", "b4"),
            elsewhere=PART_A,
            panels=(1, 4),
            expected=("part_b_reconstructions",),
        ),
        Task(
            name="B5",
            asks="interpolate between a 0 and a 1 with each of the four models",
            requires="Interpolations from a 0 to a 1 in 15 even steps of the latent code, one row a model.",
            defines=("interpolate",),
            figures=("part_b_interpolations",),
            regions=("mnist_beta_vae.interpolation",),
            from_outputs=("figure", "pictures_open", "not_blank", "panel_count", "not_twice"),
            from_rerun=("interpolation", "panels", "walks"),
            words=("part_b_interpolations", "interpolat", "task b5", "b5"),
            elsewhere=PART_A,
            panels=(4, 1),
            expected=("part_b_interpolations",),
        ),
    ),
    figures=(
        Figure("toy_datasets_1_2", "exact"),
        Figure("toy_dataset_3", "exact"),
        Figure("part_a_vae_dataset1", "trained"),
        Figure("part_a_vae_dataset1_samples", "trained"),
        Figure("part_a_vae_dataset2", "trained"),
        Figure("part_a_vae_dataset2_samples", "trained"),
        Figure("part_a_vae_dataset3", "trained"),
        Figure("part_a_vae_dataset3_samples", "trained"),
        Figure("part_a_vae_dataset3_latent", "trained"),
        Figure("toy_dataset3_ladder", "trained"),
        Figure("toy_dataset3_densities", "trained"),
        Figure("part_b_training", "trained"),
        Figure("part_b_training_beta3", "trained"),
        Figure("part_b_training_beta10", "trained"),
        Figure("part_b_training_collapse", "trained"),
        Figure("part_b_latent_space", "trained", ("plot_latent2D",)),
        Figure("part_b_reconstructions", "trained", ("plot_reconstructed",)),
        Figure("part_b_explore", "decoded"),
        Figure("part_b_interpolations", "decoded", ("interpolate",)),
        Figure("part_b_rate_distortion", "trained"),
    ),
    hints={
        "betas_missing": "Nothing shows that beta = 1, 3 and 10 were all trained.",
        "below_entropy": "The result is better than any model can be: check the terms of the ELBO and the test set.",
        "collapsed": "The KL is nearly 0: the latents carry nothing (posterior collapse). Check KL, noise and weights.",
        "frozen_noise": "Reparameterization: the same eps at each call; draw anew, without a fixed seed inside.",
        "noise_unscaled": "Reparameterization: eps is not multiplied by sigma; z = mu + sigma * eps.",
        "posterior_mean": "Reparameterization: the mean of z is not the mean that the KL is computed with.",
        "encode_latent": "encode_latent draws from another distribution than forward: pass std, not the log-variance.",
        "nll_no_logvar": "NLL: the log-variance term is missing; 1/2 sum((x - mu)^2 / s^2 + log s^2 + log 2 pi).",
        "nll_sum_batch": "NLL: it is summed over the batch; average over it, as for the KL, or beta means something "
        "else.",
        "both_summed": "KL and NLL are summed over the batch: average both, or their numbers grow with it.",
        "nll_wrong": "NLL: it is neither -log p(x|z) of your own decoder nor a squared error.",
        "nll_std_for_variance": "NLL: standard deviation and variance are mixed up; the square is divided by s^2.",
        "nll_no_half": "NLL: the factor 1/2 is missing in front of one term or all.",
        "decodes_mean": "Reconstruction: the decoder is given mu, not the sample z.",
        "x_pred": "x_pred is not what the decoder gives for the returned z.",
        "noise_flag": "decoder noise: the flag does the opposite of what it says.",
        "noise_missing": "decoder noise: noise=True gives the bare mean.",
        "noise_always": "decoder noise: noise=False still adds noise.",
        "noise_scale": "decoder noise: its spread is not exp(0.5 * log-variance) of your NLL.",
        "sigmoid_twice": "The sigmoid is applied twice: decoded pixels lie between 0.5 and 0.73.",
        "sigmoid_always": "The sigmoid is applied although sigmoid=False: toy points lie far outside [0, 1].",
        "no_gradient": "Training: the optimizer steps without a gradient: zero_grad() belongs before backward().",
        "never_steps": "Training: optimizer.step() is not called once per batch.",
        "kl_left_out": "Training: the KL does not enter the loss.",
        "nll_left_out": "Training: the reconstruction term does not enter the loss.",
        "maximises": "Training: the loss has the wrong sign; the ELBO is maximised, the loss minimised.",
        "trains_on_val": "Training: the validation set is used for training.",
        "evaluates_on_train": "No test point went into any model: compute the test performance on the test set.",
        "mixed_sets": "A model was trained on one data set and evaluated on another.",
        "hidden_beta": "Training: at beta = 1 the KL does not weigh as much as the NLL; another factor is hidden.",
        "nothing_learned": "Training: no parameter changed; give the optimizer this model and a learning rate.",
        "one_beta": "The VAEs were not trained with beta = 1, 3 and 10.",
        "same_model": "One model was trained on for several betas: make a new one for each.",
        "latent_size": "The models of part B have two latents.",
        "panels_mixed": "A panel's title names another beta than its model was trained with.",
        "same_panel": "One model is drawn in several panels: draw each of the four models once.",
        "few_epochs": "Fewer epochs than the assignment's 15 to 20.",
        "encoder_linear": "Encoder: the activation between its layers is missing.",
        "encoder_relu_out": "Encoder: an activation follows the last layer; codes must be free to take any value.",
        "decoder_linear": "Decoder: the activation between its layers is missing.",
        "encoder_random": "Encoder: it gives another code each time; the autoencoder has no noise.",
        "no_reshape": "Decoder: reshape the output to images, (batch, 1, 28, 28).",
        "ae_loss": "train_ae: the gradient is not that of the mean squared error.",
        "ae_regularized": "train_ae: something besides the squared error enters the loss.",
        "labels_shuffled": "Latent plot: colours do not belong to the points.",
        "latent_axes": "Latent plot: the points are not the codes of the images.",
        "latent_few": "Latent plot: only a part of the images is drawn; collect all batches before you draw.",
        "latent_swapped": "Latent plot: the two latent dimensions are swapped.",
        "grid_range": "Grid: it does not cover the range that it was asked for.",
        "image_transposed": "The images themselves are transposed or flipped.",
        "interpolation_digits": "Interpolation: its two images are not a 0 and a 1.",
        "interpolation_steps": "Interpolation: 15 steps were asked for.",
        "noisy_picture": "Decoder noise was left on in the picture; use noise=False.",
    },
)
