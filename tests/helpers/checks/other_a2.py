# ruff: noqa: B905 written as students write
# A second solution of assignment 2 in plain Python loops, for the tests of the checks: read as text, and executed.
import math

import numpy as np


class Parameters:
    def __init__(self, **arrays):
        self.__dict__.update(arrays)


def generate_data(num_points, rng):
    return np.array([[rng.normal(3, 1), rng.normal(2, 1)] for _ in range(num_points)])


def affine(matrix, bias, row):
    return [sum(matrix[i][j] * row[j] for j in range(len(row))) + bias[i] for i in range(len(bias))]


def encode(X, p):
    return [affine(p.W_mu, p.b_mu, x) for x in X], [affine(p.W_ls, p.b_ls, x) for x in X]


def reparameterize(mu, logvar, eps):
    rows = []
    for m, v, e in zip(mu, logvar, eps):
        rows.append([a + math.sqrt(math.exp(b)) * c for a, b, c in zip(m, v, e)])
    return rows


def decode(Z, p):
    return [affine(p.W_dec, p.b_dec, z) for z in Z]


def squared_error(X, X_prime):
    return [(a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 for a, b in zip(X, X_prime)]


def kl_divergence(mu, logvar):
    totals = []
    for m, v in zip(mu, logvar):
        total = 0.0
        for a, b in zip(m, v):
            total -= (1 + b - a * a - math.exp(b)) / 2
        totals.append(total)
    return totals


def vae_loss(recon, kl, beta=1.0):
    return math.fsum(r + beta * k for r, k in zip(recon, kl)) / len(recon)
