"""The machinery behind the notebooks, in reading order.

1. ``core.gaussian`` and ``core.objective``: the mathematics, a few lines each.
2. ``toy_vae`` (notebook 02) and ``mnist_beta_vae`` (notebook 04): what the assignment asks for,
   under its own names, the solved tasks between ``### START CODE HERE ###`` and ``### END CODE HERE ###``.
3. ``core.training``, ``core.data``, ``core.latent``, ``core.plots``: what the notebooks share.
4. ``course``: what a course needs around the notebooks; ``python -m helpers --help`` lists it.
"""
