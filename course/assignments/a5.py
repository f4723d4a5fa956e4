"""Assignment 5: the latent space of a Fashion-MNIST VAE."""

from course.assignments.task import Assignment, Figure, Task

# ---------------------------------------------------------------- bands

FASHION_LOSS = (225.0, 275.0)


# ---------------------------------------------------------------- the table

ASSIGNMENT = Assignment(
    key="a5",
    title="Exploring the latent space of a Fashion-MNIST VAE",
    notebooks=("06_fashion_latent_space",),
    images=("fashion",),
    tasks=(
        Task(
            name="VAE",
            asks="use the VAE, its loss and its training as they are given",
            requires="The VAE, its loss and its training, as they were handed out.",
            checks=("reparameterize", "loss"),
            from_outputs=("loss_numbers", "losses_fall", "zero_grad", "trains_on_test"),
            from_rerun=("reparameterize", "losses", "zero_grad", "losses_fall", "trains_on_test", "trained"),
            own_ways=("likelihood_and_kl", "noise"),
        ),
        Task(
            name="1",
            asks="draw the test set's codes in the plane",
            requires="The test set's codes in the plane, coloured by category.",
            uses=("TSNE",),
            figures=("fashion_tsne",),
            checks=("plane",),
            from_outputs=("figure", "pictures_open", "not_blank", "not_twice"),
            words=("t-sne", "tsne"),
            expected=("fashion_tsne",),
        ),
        Task(
            name="2",
            asks="interpolate between two images, in pixels and in codes",
            requires="Interpolation in pixels and in the latent space.",
            figures=("fashion_interpolation",),
            checks=("walk",),
            from_outputs=("figure", "two_strips", "pictures_open", "not_blank", "not_twice"),
            from_rerun=("strips",),
            words=("interpol", "интерпол", "pixel", "mischung", "weg im", "t-shirt to", "walk"),
            calls=("show_interpolation_strip", "lerp", "slerp"),
            elsewhere=("varying", "boot", "arithmet"),
            expected=("fashion_interpolation",),
        ),
        Task(
            name="3",
            asks="compute the direction from sneaker to ankle boot and add it to a sandal",
            requires="A direction from sneakers to ankle boots, added to a sandal.",
            defines=("boot_direction|attribute_direction",),
            figures=("fashion_arithmetic",),
            regions=("fashion_latent_space.attribute_direction", "fashion_latent_space.add_direction"),
            checks=("direction", "add_direction", "arithmetic"),
            from_outputs=("figure", "direction", "pictures_open", "not_blank", "not_twice"),
            from_rerun=("arithmetic",),
            own_ways=("added_codes",),
            words=("boot", "arithmet", "арифмет", "stiefel", "sandal", "rechnen"),
            expected=("fashion_arithmetic",),
        ),
        Task(
            name="4",
            asks="decode a grid over two latents",
            requires="A grid over the first two latents, decoded.",
            figures=("fashion_regions",),
            regions=("fashion_latent_space.region_map",),
            checks=("region_map", "grid"),
            from_outputs=("figure", "pictures_open", "not_blank", "not_twice"),
            from_rerun=("region_map",),
            own_ways=("grid_of_two",),
            words=(
                "slice",
                "region",
                "decoded images across",
                "latent dimension 1",
                "map of",
                "karte",
                "dekodierte bilder",
                "срез",
                "сетк",
            ),
            expected=("fashion_regions",),
        ),
        Task(
            name="5",
            asks="generate variations of one category",
            requires="An own experiment with at least 15 images, and its interpretation.",
            writes=(
                (
                    "which category and how",
                    r"exercise 5|experiment|categor|kategori|variation|direction|richtung|direcci|方向|类别",
                ),
            ),
            figures=("fashion_bags",),
            regions=("fashion_latent_space.neighbourhood",),
            checks=("neighbourhood", "variations"),
            from_outputs=("figure", "pictures_open", "not_blank", "not_twice", "text"),
            words=("variation", "experiment", "sneaker", "bags"),
            expected=("fashion_bags", "fashion_bags_directions"),
        ),
    ),
    figures=(
        Figure("fashion_loss_parts", "trained"),
        Figure("fashion_rates", "trained"),
        Figure("fashion_tsne", "free", ("TSNE", "scatter")),
        Figure("fashion_interpolation", "trained", ("show_interpolation_strip",)),
        Figure("fashion_interpolation_judged", "trained"),
        Figure("fashion_arithmetic", "trained", ("boot_direction",)),
        Figure("fashion_arithmetic_dose", "drawn"),
        Figure("fashion_regions", "ranked", ("grid", "grid_size")),
        Figure("fashion_explore", "decoded"),
        Figure("fashion_prior_samples", "decoded"),
        Figure("fashion_mixture_samples", "drawn"),
        Figure("fashion_bags", "decoded", ("noise", "variations", "center", "z_center", "show_grid")),
        Figure("fashion_bags_tradeoff", "trained"),
        Figure("fashion_bags_directions", "trained"),
    ),
    marks=("FashionMNIST", "boot_direction", "show_grid", "show_interpolation_strip"),
)
