# A second solution of assignment 6 in another style, for the tests of the checks: read as text, and executed.
import numpy as np


def log_likelihood(flips, p):
    heads = np.mean(flips)
    return len(flips) * (heads * np.log(p) + (1 - heads) * np.log1p(-p))
