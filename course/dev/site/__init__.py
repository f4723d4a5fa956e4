"""The site: the six notebooks and the pages of ``docs`` as static HTML, from what is committed (make site).

    python -m course.dev.site

No notebook is executed. Three steps lead from the repository to the pages: :mod:`~course.dev.site.notebooks` copies the
notebooks, each figure as a file of its own; :mod:`~course.dev.site.packages` brings MathJax and ONNX Runtime, so that
the pages need nothing from elsewhere; Sphinx does the rest, by ``docs/conf.py``.
"""
