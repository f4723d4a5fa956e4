"""Plain ``pytest --nbval notebooks/03_swiss_roll.ipynb`` is the regression run, too: figures count, noise does not."""

import sys

# jsonschema would build a grammar of addresses with it, in each process for a second; no notebook's schema asks for one
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

pytest_plugins = ["course.regression.plugin"]
