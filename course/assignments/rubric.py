"""The rubric: what each assignment asks for, how much of it is checked, and what a student is told. Data, no logic.

A *finding* is one observation about one task, with a level: ``FAIL`` where the evidence is strong, ``LOOK`` where a
person must look (evidence absent, ambiguous, or an own way of doing it), ``PASS`` where a check holds. A task passes
when something holds and nothing else was found; a submission passes when every task does. Every finding but a PASS
carries one of the hints below, by its code.
"""

import math
from typing import NamedTuple


class Task(NamedTuple):
    name: str
    requires: str  # one sentence
    from_outputs: tuple[str, ...]  # checks on what is stored in the file
    from_rerun: tuple[str, ...] = ()  # checks by behaviour
    figures: tuple[str, ...] = ()  # words that name its figures: in a printed line, a title, a source, a heading
    elsewhere: tuple[str, ...] = ()  # words that say that a figure is another task's
    panels: tuple[int, int] | None = None  # rows and columns that its main figure should have
    expected: tuple[str, ...] = ()  # our own figures of it, in student_figures/expected


class Assignment(NamedTuple):
    key: str  # as in course.assignments.presence, which hands in and out what is graded here
    tasks: tuple[Task, ...]


FILE = Task(
    "file",
    "One notebook named name_surname_<assignment>.ipynb, all code cells executed once and in order, without errors.",
    ("name", "order", "errors", "readable"),
)

PART_A = ("part_a", "dataset", "data set", "toy")

A1 = Assignment(
    "a1",
    (
        FILE,
        Task(
            "A1",
            "A VAE whose forward gives x_pred, z, elbo, kl, nll, and whose sample draws from the model.",
            ("identity", "kl_sign", "collapse"),
            ("posterior", "encode_latent", "kl", "nll", "elbo", "decode", "reductions", "shapes", "gradients", "sample",
             "flags", "printed"),
            figures=("samples", "latent"),
            expected=("part_a_vae_dataset1_samples", "part_a_vae_dataset2_samples", "part_a_vae_dataset3_samples",
                      "part_a_vae_dataset3_latent"),
        ),
        Task(
            "A2",
            "A training loop for nll + beta * kl, run on the three toy sets and evaluated on their test points.",
            ("three_results", "curves", "bands", "decreasing", "zero_grad", "trains_on_test"),
            ("objective", "steps", "loaders", "zero_grad", "losses_fall", "test_set", "learning", "printed"),
            figures=("part_a_vae_dataset", "elbo", "training"),
            expected=("part_a_vae_dataset1", "part_a_vae_dataset2", "part_a_vae_dataset3"),
        ),
        Task(
            "B1",
            "An autoencoder 784-512-2-512-784 with a sigmoid, trained on the mean squared error.",
            ("autoencoder_there", "decreasing"),
            ("parts", "train_ae", "test_images"),
        ),
        Task(
            "B2",
            "The autoencoder and VAEs with beta = 1, 3, 10, two latents each, trained 15 to 20 epochs.",
            ("betas",),
            ("models", "learning", "test_images"),
            figures=("part_b_training",),
            expected=("part_b_training",),
        ),
        Task(
            "B3",
            "Scatter plots of the four models' latent planes, more than 1500 test images coloured by digit.",
            ("figure",),
            ("latent_plot", "panels"),
            figures=("part_b_latent", "latent2d", "latent space", "latent_space", "task b3", "b3"),
            elsewhere=PART_A,
            panels=(1, 4),
            expected=("part_b_latent_space",),
        ),
        Task(
            "B4",
            "12 x 12 grids of decoded codes, over [-5, 5] for the autoencoder and [-3, 3] for the VAEs.",
            ("figure",),
            ("grid", "panels", "ranges"),
            figures=("part_b_reconstructions", "plot_reconstructed", "reconstruct", "task b4", "b4"),
            elsewhere=PART_A,
            panels=(1, 4),
            expected=("part_b_reconstructions",),
        ),
        Task(
            "B5",
            "Interpolations from a 0 to a 1 in 15 even steps of the latent code, one row a model.",
            ("figure",),
            ("interpolation", "panels", "walks"),
            figures=("part_b_interpolations", "interpolat", "task b5", "b5"),
            elsewhere=PART_A,
            panels=(4, 1),
            expected=("part_b_interpolations",),
        ),
    ),
)  # fmt: skip

A2 = Assignment(
    "a2",
    (
        FILE,
        Task("1", "1000 points of N((3, 2), I).", ("data",), ("data",)),
        Task("3", "L_recon, L_KL and their sum for scenario 1.", ("numbers",), ("numbers",)),
        Task("4", "The same for scenario 2, with the collapsed encoder, and what it means.", ("numbers", "text"),
             ("numbers",)),
        Task("5", "Both losses for beta = 0.2, and what a small beta does.", ("numbers", "text"), ("numbers",)),
    ),
)  # fmt: skip

A3 = Assignment(
    "a3",
    (
        FILE,
        Task("reparameterize", "z = mu + exp(logvar / 2) * eps, eps standard normal; and why it is needed.",
             ("text",), ("reparameterize",)),
        Task("KL", "Mean squared error plus beta times the KL divergence in closed form.", (), ("losses",)),
        Task("train", "A falling loss, to about 0.021 at beta = 0.01; reconstructions, and a decoded grid.",
             ("loss_numbers", "figure"), ("zero_grad", "losses_fall"), figures=("reconstruct", "latent", "generated"),
             expected=("swiss_roll_loss", "swiss_roll_reconstructions", "swiss_roll_latent_space")),
        Task("visualize", "The latent space before, during and after training.", ("figure",),
             figures=("training", "train_vae_with_visualization", "before", "step"), expected=("swiss_roll_training",)),
        Task("experiment", "Another latent dimension, width or training.", ("experiment",)),
        Task("report", "What was observed of reconstruction and continuity.", ("text",)),
    ),
)  # fmt: skip

A4 = Assignment(
    "a4",
    (
        FILE,
        Task("1", "calc_elbo: log-likelihood minus KL divergence.", ("identity",), ("elbo",)),
        Task("2", "Samples from the prior, decoded.", ("figure",), ("sample",), figures=("sample",),
             expected=("conv_vae_samples",)),
        Task("3", "Encoder and decoder of convolutions.", ("convolutions",)),
        Task("4", "Training that raises the ELBO, logged with its two terms; the ELBO on the test set.",
             ("test_elbo", "trains_on_test"), ("zero_grad", "losses_fall", "trains_on_test"), figures=("training", "elbo", "loss"),
             expected=("conv_vae_training",)),
        Task("5", "Interpolations between codes of two digits.", ("figure",), figures=("interpolat", "travers"),
             expected=("conv_vae_interpolations", "conv_vae_traversals")),
    ),
)  # fmt: skip

A5 = Assignment(
    "a5",
    (
        FILE,
        Task("VAE", "The VAE, its loss and its training, as they were handed out.", ("loss_numbers",),
             ("reparameterize", "losses", "zero_grad", "losses_fall", "trains_on_test")),
        Task("1", "The test set's codes in the plane, coloured by category.", ("figure",), figures=("t-sne", "tsne"),
             expected=("fashion_tsne",)),
        Task("2", "Interpolation in pixels and in the latent space.", ("figure",), ("strips",),
             figures=("interpolat",), expected=("fashion_interpolation",)),
        Task("3", "A direction from sneakers to ankle boots, added to a sandal.", ("figure",), ("arithmetic",),
             figures=("boot", "arithmetic"), expected=("fashion_arithmetic",)),
        Task("4", "A grid over the first two latents, decoded.", ("figure",), ("region_map",),
             figures=("grid", "slice", "region"), expected=("fashion_regions",)),
        Task("5", "An own experiment with at least 15 images, and its interpretation.", ("figure", "text"),
             figures=("variation", "experiment", "sneaker", "bags"),
             expected=("fashion_bags", "fashion_bags_directions")),
    ),
)  # fmt: skip

ASSIGNMENTS = {a.key: a for a in (A1, A2, A3, A4, A5)}


# ---------------------------------------------------------------- bands

ENTROPY = {
    1: math.log(2 * math.pi * math.e) + math.log(5),
    2: math.log(2 * math.pi * math.e) + math.log(5),
    3: 1.333929,
}
LOG_2PI = math.log(2 * math.pi)


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
CONV_TEST_ELBO = (70.0, 160.0)  # -ELBO, nats per image
FASHION_LOSS = (225.0, 275.0)
SWISS_LOSS = (0.0173, 0.03)  # from below: the least possible

# mean and standard error of the mean of N = 1000 points, exactly known
NUMPY_VALUES = {
    "3": {"L_recon": (2.055785, 0.0657), "L_KL": (1.256578, 0.0203), "Loss": (3.312363, 0.0708)},
    "4": {"L_recon": (8.696947, 0.2562), "L_KL": (0.015037, 0.00009), "Loss": (8.711984, 0.2563)},
    "5": {"Loss, scenario 1": (2.307101, 0.0663), "Loss, scenario 2": (8.699954, 0.2562)},
}
# what known mistakes make of them, in closed form; values that a mistake leaves as they are do not stand here
NUMPY_MISTAKES = {
    "kl_no_half": {"3": {"L_KL": 2.513156}, "4": {"L_KL": 0.030075}},
    "kl_halved": {"3": {"L_KL": 0.628289}, "4": {"L_KL": 0.007519}},
    "kl_sign": {"3": {"L_KL": -1.256578}, "4": {"L_KL": -0.015037}},
    "recon_mean": {"3": {"L_recon": 1.027893}, "4": {"L_recon": 4.348474}},
    "nll_sum_batch": {"3": {"L_recon": 2055.785}, "4": {"L_recon": 8696.947}},
    "no_noise": {"3": {"L_recon": 0.1925}, "4": {"L_recon": 5.149986}},
    "logvar_as_std": {"3": {"L_recon": 2.4465}, "4": {"L_recon": 5.189186}},
    "std_no_half": {"3": {"L_recon": 1.089437}},
    "matrix_side": {"4": {"L_KL": 0.007637}},
    "loss_kl_sign": {"3": {"Loss": 0.799207}},
    "beta_on_nll": {"5": {"Loss, scenario 1": 1.667735, "Loss, scenario 2": 1.754426}},
}


# ---------------------------------------------------------------- what a student is told

HINTS = {
    # the file
    "unreadable": "The file could not be read as a notebook: save it from Jupyter and hand it in again.",
    "file_name": "Name the file name_surname_a1.ipynb: the tutors find you by it.",
    "not_executed": "The notebook holds no outputs: run all cells, save, and hand in the saved file.",
    "order": "Cells were not executed once and in order: use Restart and Run All, then save.",
    "error_output": "A cell ends in an error: what follows it may rest on an older run.",
    "rerun_error": "When run again from the top, the notebook stopped with an error.",
    "rerun_ended": "When run again, the notebook had to be stopped.",
    "forged": "The output carries marks that only our own helpers write, and they do not fit the picture.",
    # evidence
    "numbers_missing": "No printed result was found: print ELBO, KL and NLL on the test set for every data set.",
    "figure_missing": "The figure of this task was not found among the outputs.",
    "figure_blank": "The figure is blank: draw before you save or show it.",
    "figure_twice": "The same picture stands for two different tasks.",
    "figure_panels": "The figure does not show the panels that the task asks for.",
    "picture_unsafe": "A picture could not be opened safely, so it was not looked at.",
    "text_missing": "The task asks for a written answer; none was found.",
    "betas_missing": "Nothing shows that beta = 1, 3 and 10 were all trained.",
    "out_of_band": "The printed result lies outside what honest runs reach: check the loss and the training.",
    "below_entropy": "The result is better than any model can be: check the terms of the ELBO and the test set.",
    "not_decreasing": "The loss did not fall during training.",
    "own_way": "Your functions have other names or signatures than the assignment's, so a person must look.",
    "unclear": "A check could not be decided.",
    # KL
    "kl_no_half": "KL: the factor 1/2 is missing; it is 1/2 sum(mu^2 + sigma^2 - log sigma^2 - 1).",
    "kl_half_twice": "KL: the factor 1/2 stands twice.",
    "kl_sign": "KL: it has the wrong sign; a divergence is never negative.",
    "kl_mean_latents": "KL: sum over the latent dimensions, then average over the batch; you averaged over both.",
    "kl_sum_batch": "KL: it is summed over the batch while the NLL is averaged, a hidden beta: average both.",
    "kl_halved": "KL: half of what it should be; sum over the latents, with one factor 1/2.",
    "kl_log2": "KL: it is in bits; use natural logarithms, as for the NLL.",
    "kl_wrong": "KL: it is not the divergence of your own q(z|x), as its samples show it, from N(0, I).",
    # posterior samples
    "no_noise": "Reparameterization: z has no noise; z = mu + sigma * eps with eps ~ N(0, I).",
    "shared_noise": "Reparameterization: one noise for the whole batch; draw eps for every example (randn_like).",
    "shared_noise_latents": "Reparameterization: the same eps for all latent dimensions; draw one for each.",
    "frozen_noise": "Reparameterization: the same eps at each call; draw anew, without a fixed seed inside.",
    "not_normal": "Reparameterization: the noise is not normal; use torch.randn_like, not rand.",
    "noise_unscaled": "Reparameterization: eps is not multiplied by sigma; z = mu + sigma * eps.",
    "logvar_as_std": "The log-variance is used as a standard deviation: sigma = exp(0.5 * logvar).",
    "std_no_half": "sigma = exp(0.5 * logvar): the 1/2 is missing in sampling, or the KL takes another sigma.",
    "posterior_mean": "Reparameterization: the mean of z is not the mean that the KL is computed with.",
    "encode_latent": "encode_latent draws from another distribution than forward: pass std, not the log-variance.",
    "gradient_cut": "The gradient does not pass through the sampling: no detach, no no_grad, no .sample().",
    # NLL
    "nll_no_logvar": "NLL: the log-variance term is missing; 1/2 sum((x - mu)^2 / s^2 + log s^2 + log 2 pi).",
    "nll_mean_features": "NLL: averaged over features or pixels; sum over them, then average over the batch.",
    "nll_sum_batch": "NLL: it is summed over the batch; average over it, as for the KL, or beta means something else.",
    "both_summed": "KL and NLL are summed over the batch: average both, or their numbers grow with it.",
    "recon_mean": "Reconstruction: averaged over the two dimensions; the squared norm sums them.",
    "nll_sign": "NLL: wrong sign; it is minus the log-likelihood.",
    "nll_wrong": "NLL: it is neither -log p(x|z) of your own decoder nor a squared error.",
    "nll_std_for_variance": "NLL: standard deviation and variance are mixed up; the square is divided by s^2.",
    "nll_no_half": "NLL: the factor 1/2 is missing in front of one term or all.",
    # ELBO
    "elbo_sign": "ELBO: wrong sign; ELBO = -(NLL + KL).",
    "elbo_kl_sign": "ELBO: the KL is subtracted from the bound, not added: ELBO = -NLL - KL.",
    "elbo_wrong": "ELBO: it is not -(NLL + KL).",
    # decoder and samples
    "decodes_mean": "Reconstruction: the decoder is given mu, not the sample z.",
    "x_pred": "x_pred is not what the decoder gives for the returned z.",
    "shape": "A result has another shape than the assignment says.",
    "noise_flag": "decoder noise: the flag does the opposite of what it says.",
    "noise_missing": "decoder noise: noise=True gives the bare mean.",
    "noise_always": "decoder noise: noise=False still adds noise.",
    "noise_scale": "decoder noise: its spread is not exp(0.5 * log-variance) of your NLL.",
    "not_prior": "sample: its codes do not come from the prior N(0, I).",
    "sigmoid_missing": "The sigmoid is missing: decoded images leave [0, 1].",
    "sigmoid_twice": "The sigmoid is applied twice: decoded pixels lie between 0.5 and 0.73.",
    "sigmoid_always": "The sigmoid is applied although sigmoid=False: toy points lie far outside [0, 1].",
    # training
    "zero_grad": "Training: gradients add up over steps; call optimizer.zero_grad() before each backward().",
    "no_gradient": "Training: the optimizer steps without a gradient: zero_grad() belongs before backward().",
    "never_steps": "Training: optimizer.step() is not called once per batch.",
    "beta_on_nll": "Training: beta multiplies the reconstruction term; it belongs to the KL.",
    "beta_ignored": "Training: beta has no effect on the loss.",
    "kl_left_out": "Training: the KL does not enter the loss.",
    "nll_left_out": "Training: the reconstruction term does not enter the loss.",
    "maximises": "Training: the loss has the wrong sign; the ELBO is maximised, the loss minimised.",
    "trains_on_test": "Training: the test set is used for training.",
    "trains_on_val": "Training: the validation set is used for training.",
    "evaluates_on_train": "No test point went into any model: compute the test performance on the test set.",
    "mixed_sets": "A model was trained on one data set and evaluated on another.",
    "hidden_beta": "Training: at beta = 1 the KL does not weigh as much as the NLL; another factor is hidden.",
    "not_finite": "The loss became NaN or infinite in training: lower the learning rate, or bound the log-variance.",
    "nothing_learned": "Training: no parameter changed; give the optimizer this model and a learning rate.",
    "one_beta": "The VAEs were not trained with beta = 1, 3 and 10.",
    "same_model": "One model was trained on for several betas: make a new one for each.",
    "latent_size": "The models of part B have two latents.",
    "panels_mixed": "A panel's title names another beta than its model was trained with.",
    "same_panel": "One model is drawn in several panels: draw each of the four models once.",
    "few_epochs": "Fewer epochs than the assignment's 15 to 20.",
    # part B
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
    "grid_flipped": "Grid: upside down; the second latent grows upwards on the axis, but downwards in the picture.",
    "grid_mirrored": "Grid: mirrored; the first latent grows to the left.",
    "grid_transposed": "Grid: the two latents are swapped.",
    "grid_range": "Grid: it does not cover the range that it was asked for.",
    "grid_wrong": "Grid: the cells do not show the decoded grid points.",
    "image_transposed": "The images themselves are transposed or flipped.",
    "collapsed": "The KL is nearly 0: the latents carry nothing (posterior collapse). Check KL, noise and weights.",
    "interpolation_end": "Interpolation: it never reaches its end; t runs from 0 to 1, both included.",
    "interpolation_start": "Interpolation: it does not start at the first image's code.",
    "interpolation_uneven": "Interpolation: the steps are not even, or not on the straight line.",
    "interpolation_pixels": "Interpolation: pixels are blended; interpolate the codes, then decode.",
    "interpolation_reversed": "Interpolation: it runs from the second image to the first.",
    "interpolation_digits": "Interpolation: its two images are not a 0 and a 1.",
    "interpolation_steps": "Interpolation: 15 steps were asked for.",
    "noisy_picture": "Decoder noise was left on in the picture; use noise=False.",
    # other assignments
    "data_wrong": "X_true is not 1000 points of N((3, 2), I).",
    "matrix_side": "Encoder: the matrix stands on the wrong side; W x for all rows at once is X @ W.T.",
    "loss_kl_sign": "Loss: the KL is subtracted; loss = L_recon + beta * L_KL.",
    "below_least": "The loss is below the least possible one: look at the noise in z, and at the sign of the KL.",
    "no_convolution": "Neither Conv2d nor ConvTranspose2d was found among the executed cells.",
    "experiment_missing": "No run with another latent dimension, width or training was found.",
    "recon_reduction": "Reconstruction: another reduction than the assignment's.",
    "direction_reversed": "The direction points from boots to sneakers: subtract the sneaker from the boot.",
    "category": "An average code is not that of its category: 5 is sandal, 7 sneaker, 9 ankle boot.",
    "arithmetic": "The result is not the sandal's code plus the direction.",
}  # fmt: skip
