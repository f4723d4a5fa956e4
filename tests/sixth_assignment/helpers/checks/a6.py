"""Checks of assignment 6: the likelihood of coin flips."""

import math

from helpers.checks.base import Mistake, checks
from helpers.checks.oracles import as_number
from helpers.checks.student import Student


@checks("1", "Task 1, log_likelihood", "coin.log_likelihood", stops=True)
def log_likelihood(student: Student) -> str:
    value = as_number(student.get("coin.log_likelihood")([1, 0, 1], 0.3), "the log-likelihood")
    if not math.isclose(math.exp(value), 0.3 * 0.7 * 0.3):
        raise Mistake(f"the probability of heads, tails, heads is 0.063, yours is {math.exp(value):.3f}")
    return "agrees with the probability of three flips"
