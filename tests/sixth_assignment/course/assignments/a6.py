"""Assignment 6, for a test: the likelihood of coin flips."""

from course.assignments.task import Assignment, Figure, Task

FAIR_COIN = -6.931472  # ten flips of a fair coin: -10 ln 2

ASSIGNMENT = Assignment(
    key="a6",
    title="The likelihood of a coin",
    notebooks=("07_coin",),
    images=(),
    tasks=(
        Task(
            name="1",
            asks="implement log_likelihood, print it for ten flips, and draw it over p",
            requires="The log-likelihood of ten flips of a fair coin, and its curve over p.",
            defines=("log_likelihood",),
            prints=(("the log-likelihood", r"log-likelihood\D*\d"),),
            figures=("coin_likelihood",),
            regions=("coin.log_likelihood",),
            checks=("log_likelihood",),
            from_outputs=("fair_coin",),
            from_rerun=(),
            expected=("coin_likelihood",),
        ),
    ),
    figures=(Figure("coin_likelihood", "exact"),),
    hints={"coin_wrong": "The log-likelihood sums log p over heads and log(1 - p) over tails."},
)
