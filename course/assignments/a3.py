"""Assignment 3: a VAE on the Swiss roll."""

from course.assignments.task import Assignment, Figure, Task

# ---------------------------------------------------------------- bands

SWISS_LOSS = (0.0173, 0.03)  # from below: the least possible


# ---------------------------------------------------------------- the table

ASSIGNMENT = Assignment(
    key="a3",
    title="A VAE on the Swiss roll",
    notebooks=("03_swiss_roll",),
    tasks=(
        Task(
            name="reparameterize",
            asks="implement the reparameterization trick, and say why it is needed",
            requires="z = mu + exp(logvar / 2) * eps, eps standard normal; and why it is needed.",
            defines=("VAE.reparameterize",),
            writes=(
                (
                    "why reparameterization is needed",
                    r"reparam|репарам|trick|трюк|трик|重参数|gradient|градиент|backprop",
                ),
            ),
            regions=("swiss_roll.VAE.reparameterize",),
            checks=("reparameterize",),
            from_outputs=("trained_function", "deviation", "text"),
            from_rerun=("reparameterize",),
            own_ways=("noise",),
        ),
        Task(
            name="KL",
            asks="implement the KL divergence in the loss",
            requires="Mean squared error plus beta times the KL divergence in closed form.",
            defines=("compute_vae_loss",),
            regions=("swiss_roll.compute_vae_loss", "swiss_roll.score_function_loss"),
            checks=("loss", "score_function"),
            from_outputs=("trained_function", "divergence"),
            from_rerun=("losses",),
            own_ways=("swiss_loss",),
        ),
        Task(
            name="train",
            asks="train the VAE and draw reconstructions and latent space",
            requires="A falling loss, to about 0.021 at beta = 0.01; reconstructions, and a decoded grid.",
            defines=("train_vae", "visualize_reconstructions", "visualize_latent_space"),
            figures=("swiss_roll_reconstructions", "swiss_roll_latent_space"),
            checks=("train_vae", "trained"),
            from_outputs=(
                "loss_numbers",
                "losses_fall",
                "zero_grad",
                "trains_on_test",
                "figure",
                "pictures_open",
                "not_blank",
                "not_twice",
            ),
            from_rerun=("zero_grad", "losses_fall", "trained"),
            words=("reconstruct", "rekonstru", "реконстр", "latent", "generated", "erzeugt", "сген", "samples"),
            calls=("visualize_reconstructions", "visualize_latent_space"),
            expected=("swiss_roll_loss", "swiss_roll_reconstructions", "swiss_roll_latent_space"),
        ),
        Task(
            name="visualize",
            asks="draw the latent space before, during and after training",
            requires="The latent space before, during and after training.",
            defines=("train_vae_with_visualization",),
            figures=("swiss_roll_training",),
            checks=("visualization",),
            from_outputs=("stages_of_training", "pictures_open", "not_blank", "not_twice"),
            words=("swiss_roll_training", "before", "after", "step", "vor dem", "nach", "schritt"),
            calls=("train_vae_with_visualization",),
            elsewhere=("loss", "verlust"),
            expected=("swiss_roll_training",),
        ),
        Task(
            name="experiment",
            asks="change the latent dimension or the width",
            requires="Another latent dimension, width or training.",
            uses=("latent_dim|hidden_dim",),
            checks=("sizes",),
            from_outputs=("experiment",),
        ),
        Task(
            name="report",
            asks="say what you observed of reconstruction and continuity",
            requires="What was observed of reconstruction and continuity.",
            writes=(
                (
                    "how continuous the latent space is",
                    r"contin|stetig|lücke|\bgap|\bhole|\bloch|löcher|smooth|glatt|непрерыв|гладк|reconstr|rekonstr|реконстр|observ|beobacht|наблюд|连续|重构|潜空间|隐空间",
                ),
            ),
            from_outputs=("text",),
        ),
    ),
    figures=(
        Figure("swiss_roll_data", "exact"),
        Figure("swiss_roll_loss", "trained"),
        Figure("swiss_roll_reconstructions", "trained", ("visualize_reconstructions",)),
        Figure("swiss_roll_latent_space", "trained", ("visualize_latent_space",)),
        Figure("swiss_roll_estimators", "trained"),
        Figure("swiss_roll_training", "trained", ("train_vae_with_visualization",)),
        Figure("swiss_roll_sizes", "trained"),
        Figure("swiss_roll_betas", "trained"),
        Figure("swiss_roll_tradeoff", "trained"),
    ),
    marks=("make_swiss_roll",),
    hints={
        "below_least": "The loss is below the least possible one: look at the noise in z, and at the sign of the KL.",
        "results_alike": "Several settings give the very same number: check that each is measured with its own model.",
        "experiment_missing": "No run with another latent dimension, width or training was found.",
    },
)
