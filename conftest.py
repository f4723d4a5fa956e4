"""Plain ``pytest --nbval notebooks/03_swiss_roll.ipynb`` is the regression run, too: figures count, noise does not."""

pytest_plugins = ["course.regression.plugin"]
