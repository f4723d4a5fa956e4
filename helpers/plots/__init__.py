"""Figures in one style; every function returns a Figure, and none shows or saves.

Figures are made without pyplot, so a notebook keeps none of them open.
"""

from helpers.plots.clouds import (
    class_legend,
    cloud_panels,
    displacements,
    overlays,
    scatter_classes,
    scatters,
    shaded_scatters,
)
from helpers.plots.curves import frontier, ladder, lines, paths, stacked_bars, training_curves
from helpers.plots.images import densities, dials_and_image, point_and_image
from helpers.plots.styling import BLUE, CLASS_COLOURS, GREEN, GREY, ORANGE, RED, STYLE, panels, style, styled

__all__ = [
    "BLUE", "CLASS_COLOURS", "GREEN", "GREY", "ORANGE", "RED", "STYLE", "class_legend", "cloud_panels", "densities",
    "dials_and_image", "displacements", "frontier", "ladder", "lines", "overlays", "panels", "paths", "point_and_image",
    "scatter_classes", "scatters", "shaded_scatters", "stacked_bars", "style", "styled", "training_curves",
]  # fmt: skip
