# A compact honest submission of assignment 2, in cells (# %%), for the grader's tests: mistakes are put into it.
# %%
import numpy as np

rand = np.random.RandomState(7)
N = 1000
X_true = rand.multivariate_normal([3.0, 2.0], np.eye(2), size=N)

# %%
W_dec, b_dec = 1.4 * np.eye(2), np.array([1.5, 1.0])


def run(W_mu, b_mu, W_ls, b_ls):
    mu = X_true @ W_mu.T + b_mu
    logvar = X_true @ W_ls.T + b_ls
    sigma = np.exp(0.5 * logvar)
    Z = mu + sigma * rand.randn(N, 2)
    X_prime = Z @ W_dec.T + b_dec
    L_recon = ((X_true - X_prime) ** 2).sum(axis=1).mean()
    L_KL = 0.5 * (sigma**2 + mu**2 - logvar - 1).sum(axis=1).mean()
    return L_recon, L_KL


# %%
L_recon, L_KL = run(0.5 * np.eye(2), np.array([-0.5, -0.25]), 0.1 * np.eye(2), np.array([-1.0, -1.0]))
loss = L_recon + L_KL
print(f"L_recon = {L_recon:.4f}, L_KL = {L_KL:.4f}, Loss = {loss:.4f}")

# %%
W_mu_c, b_mu_c = np.array([[0.01, 0.01], [-0.01, -0.01]]), np.array([0.05, -0.05])
L_recon_c, L_KL_c = run(W_mu_c, b_mu_c, np.zeros((2, 2)), np.array([-0.1, -0.1]))
loss_c = L_recon_c + L_KL_c
print(f"L_recon_c = {L_recon_c:.4f}, L_KL_c = {L_KL_c:.4f}, Loss_c = {loss_c:.4f}")

# %%
beta = 0.2
print("beta = 0.2:", L_recon + beta * L_KL, L_recon_c + beta * L_KL_c)
