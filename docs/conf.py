"""Sphinx's settings for the site. ``make site`` copies this folder, adds the notebooks, and runs Sphinx on the copy."""

from sphinx.application import Sphinx

from course.dev.site.docstrings import typeset

project = "Variational autoencoders, solved and measured"
author = "the vae-solutions project"
html_title = "VAEs, solved and measured"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]

# notebooks and pages in Markdown; nothing is executed
exclude_patterns = ["measured", "extra", "findings.md"]  # parts of other pages
nb_execution_mode = "off"
nb_code_prompt_show = "Show the code of this {type}"
nb_code_prompt_hide = "Hide the code of this {type}"
myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_block"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

# the API reference
autodoc_inherit_docstrings = False  # what a network inherits from torch is described there
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False

# formulas are typeset in the browser, by a file that lies beside the pages
mathjax_path = "vendor/mathjax/tex-svg.js"

html_theme = "furo"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_extra_path = ["extra"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": "https://github.com/vae-solutions/vae-solutions/",
    "source_branch": "main",
    "source_directory": "docs/",
    "top_of_page_buttons": [],
}


def typeset_formulas(app, what, name, obj, options, lines: list[str]) -> None:
    """Let the formulas of a docstring be formulas, before anything else reads it."""
    lines[:] = typeset(lines)
    if what == "data" and lines:  # before a colon, napoleon would look for a type
        lines[0] = lines[0].replace(": ", ", ")


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", typeset_formulas, priority=1)
