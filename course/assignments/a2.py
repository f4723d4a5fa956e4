"""Assignment 2: a VAE computed by hand, in NumPy."""

from course.assignments.task import Assignment, Figure, Task

# ---------------------------------------------------------------- bands

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


# ---------------------------------------------------------------- the table

ASSIGNMENT = Assignment(
    key="a2",
    title="A VAE by hand, in NumPy",
    notebooks=("01_numpy_vae",),
    tasks=(
        Task(
            name="1",
            asks="generate the data",
            requires="1000 points of N((3, 2), I).",
            defines=("X_true",),
            regions=("numpy_vae.generate_data",),
            checks=("data",),
            from_outputs=("data",),
            from_rerun=("data",),
        ),
        Task(
            name="3",
            asks="compute the forward pass and the loss of scenario 1, and report them",
            requires="L_recon, L_KL and their sum for scenario 1.",
            defines=("mu", "Z", "X_prime"),
            prints=(
                ("a value of L_recon", r"L_recon(?:(?!L_recon)\D){0,999}\d"),
                ("a value of L_KL", r"L_KL(?:(?!L_KL)\D){0,999}\d"),
                ("a value of the loss", r"(?i)\bloss\b(?:(?!\bloss\b)\D){0,999}\d"),
            ),
            regions=(
                "numpy_vae.encode",
                "numpy_vae.reparameterize",
                "numpy_vae.decode",
                "numpy_vae.squared_error",
                "numpy_vae.kl_divergence",
                "numpy_vae.vae_loss",
            ),
            checks=("encode", "reparameterize", "decode", "squared_error", "kl", "loss", "scenario_1"),
            from_outputs=("numbers", "deviation"),
            from_rerun=("numbers",),
        ),
        Task(
            name="4",
            asks="repeat it for the collapsed encoder, report and compare",
            requires="The same for scenario 2, with the collapsed encoder, and what it means.",
            prints=(
                ("L_recon a second time", r"(?is)L_recon.*L_recon"),
                ("L_KL a second time", r"(?is)L_KL.*L_KL"),
            ),
            writes=(
                (
                    "what the collapse does",
                    r"col+aps|kollaps|effondr|коллапс|analy|s[cz]enari|escenari|scénari|сценари|latent|reconstr|坍|塌缩|潜变量|重构|崩",
                ),
            ),
            apart=r"beta|β|бета",
            checks=("scenario_2",),
            from_outputs=("numbers", "text"),
            from_rerun=("numbers",),
        ),
        Task(
            name="5",
            asks="compute both losses at beta = 0.2 and discuss",
            requires="Both losses for beta = 0.2, and what a small beta does.",
            prints=(("the losses at beta = 0.2", r"0\.2\b"),),
            writes=(("what beta does", r"beta|β|бета"),),
            checks=("small_beta",),
            from_outputs=("numbers", "text"),
            from_rerun=("numbers",),
        ),
    ),
    figures=(
        Figure("numpy_vae_data", "exact"),
        Figure("numpy_vae_latents", "exact"),
        Figure("numpy_vae_reconstructions", "exact"),
        Figure("numpy_vae_collapse_latents", "exact"),
        Figure("numpy_vae_collapse_reconstructions", "exact"),
        Figure("numpy_vae_frontier", "exact"),
        Figure("numpy_vae_training", "exact"),  # gradient descent on an exact loss, no noise
        Figure("numpy_vae_loss_parts", "exact"),
        Figure("numpy_vae_generated", "exact"),
    ),
    marks=("X_true", "X_prime", "L_recon", "L_KL"),
)
