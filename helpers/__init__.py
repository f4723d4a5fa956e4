"""The machinery behind the notebooks, in reading order.

1. ``core.gaussian`` and ``core.objective``: the mathematics, a few lines each.
2. ``numpy_vae`` (notebook 01), ``toy_vae`` (02), ``swiss_roll`` (03), ``mnist_beta_vae`` (04), ``mnist_conv_vae`` (05)
   and ``fashion_latent_space`` (06): what the assignments ask for, under their own names, the solved tasks between
   ``### START CODE HERE ###`` and ``### END CODE HERE ###``.
3. ``core.training``, ``core.data``, ``core.networks``, ``core.latent``, ``core.plots``,
   ``core.checkpoints``: what the notebooks share.
4. ``course``: what a course needs around the notebooks; ``python -m course --help`` lists it.
"""
