"""What the notebooks import and a student reads, in reading order.

1. ``core.gaussian`` and ``core.objective``: the mathematics, a few lines each; ``core.networks`` and ``core.latent``.
2. ``numpy_vae`` (notebook 01), ``toy_vae`` (02), ``swiss_roll`` (03), ``mnist_beta_vae`` (04), ``mnist_conv_vae`` (05)
   and ``fashion_latent_space`` (06): what the assignments ask for, under their own names, the solved tasks between
   ``### START CODE HERE ###`` and ``### END CODE HERE ###``.
3. ``core.training``: the training loop; ``core.batches`` and ``core.history``: what it takes and leaves;
   ``core.speed``, ``core.kept``, ``core.data``: how it is made faster, how its results are stored, and the images.
4. ``plots`` draws, ``notebook`` shows figures and judges claims, ``checks`` tells at once whether a task is right.
"""
