"""Sphinx: Markdown pages, and the docstrings of the public names; warnings are errors."""

import tomllib
from importlib.metadata import version as installed
from pathlib import Path

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

_pyproject = Path(__file__).parents[1] / "pyproject.toml"
_urls = tomllib.loads(_pyproject.read_text(encoding="utf-8"))["project"]["urls"]

project = "drf-signet"
copyright = "The drf-signet authors"
release = version = installed("drf-signet")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxext.opengraph",
]
exclude_patterns = ["_build"]

# Report references without a target, except to names of other packages, which have no page here.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!drf_signet\.).*"),
    ("py:class", r"drf_signet\.models\.SessionQuerySet"),  # the type of `Session.objects`
]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Docstrings are written for readers of the source: a name in single backticks is code.
default_role = "code"
# What a section "Returns" says is a sentence, whose colon sets no type apart: annotations do.
napoleon_custom_sections = ["Returns"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"{project} {release}"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_theme_options = {
    "light_logo": "logo.svg",
    "dark_logo": "logo-dark.svg",
    "light_css_variables": {"color-brand-primary": "#0b6275", "color-brand-content": "#0b6275"},
    "dark_css_variables": {"color-brand-primary": "#66d9e8", "color-brand-content": "#66d9e8"},
}
html_copy_source = False
html_show_sourcelink = False

# Copy commands without their prompt, and no output of commands.
copybutton_prompt_text = "$ "
copybutton_selector = (
    "div[class*=highlight-]:not(.highlight-bash + :is(.highlight-text, .highlight-json)) pre"
)

# The preview that other sites show of a link. Its picture is a file, because a picture drawn for
# each page would need matplotlib and fonts.
ogp_site_url = _urls["Documentation"]
ogp_site_name = project
ogp_image = "_static/social.png"
ogp_image_alt = "drf-signet: JWT authentication for Django REST Framework"
ogp_social_cards = {"enable": False}
ogp_custom_meta_tags = ['<meta name="twitter:card" content="summary_large_image">']

# External links, which only `make links` checks. This address stands for the project's own.
linkcheck_ignore = [r"https://drf-signet\.example/", r"https?://(127\.0\.0\.1|localhost)"]
linkcheck_anchors = False  # many sites create their anchors by JavaScript

# Sphinx looks for a relative path in the current folder.
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
