"""Sphinx: Markdown pages, built with warnings as errors."""

from importlib.metadata import version as installed

project = "drf-signet"
copyright = "The drf-signet authors"
release = version = installed("drf-signet")

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"{project} {release}"
