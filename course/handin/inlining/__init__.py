"""Notebooks that import the helpers, turned into cells that stand alone.

A notebook's ``from helpers... import ...`` gives way to the definitions it uses, and those that they use in turn, as
cells in dependency order: modules after those that they import, definitions as they stand in their module, with shorter
docstrings. The notebook's own cells stay as they are; where one reaches into a module (``plots.panels``), the module's
name stands for a little namespace of what is used of it.

In one notebook all names share one scope, in the repository each module has its own. So a definition keeps its name
only where nothing else claims it; else it is called ``module_name``, and an import that asked for the plain name gets
an assignment in its place. A function or class of the student's own with a helper's name takes the helper's place.
"""

from course.handin.inlining.joining import StandAlone, join, used
from course.handin.inlining.writing import Section, plain_text

__all__ = ["Section", "StandAlone", "join", "plain_text", "used"]
