"""Sphinx: Markdown pages, and the docstrings of the public names; warnings are errors."""

from importlib.metadata import version as installed

import django
from django.conf import settings

# Models can only be imported in a project; this is the smallest one that they can be imported in.
settings.configure(
    INSTALLED_APPS=[
        "django.contrib.admin",  # for the docstring of `SessionInline`
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "drf_signet",
    ],
    SECRET_KEY="used for nothing but importing modules",  # noqa: S106
    USE_TZ=True,
)
django.setup()

project = "drf-signet"
copyright = "The drf-signet authors"
release = version = installed("drf-signet")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

myst_heading_anchors = 3

# Docstrings are written for readers of the source: a name in single backticks is code.
default_role = "code"
# What a section "Returns" says is a sentence, whose colon sets no type apart: annotations do.
napoleon_custom_sections = ["Returns"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["answers.css"]
html_copy_source = False
html_show_sourcelink = False
