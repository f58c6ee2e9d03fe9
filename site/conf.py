"""Sphinx's settings for the site; tools/make_site.py copies this beside the pages and runs Sphinx."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REPOSITORY, VERSION = SETTINGS["tool"]["workshop"]["repository"], SETTINGS["project"]["version"]

project = "A workshop on small language models"
author = "The workshop's authors"
copyright = "the workshop's authors: code MIT, texts CC BY 4.0, data CC0"
version = release = VERSION
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
nb_execution_mode = "off"  # lessons are shown as they were committed
nb_merge_streams = True
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
myst_links_external_new_tab = True
# Attributes of the same name in two classes, and !pip in Python.
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header", "misc.highlighting_failure", "ref.python"]

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": False}

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["workshop.css"]
html_js_files = ["workshop.js"]
html_extra_path = ["extra"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}  # light or dark, as the device prefers
html_theme_options = {
    "repository_url": f"https://github.com/{REPOSITORY}",
    "use_repository_button": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": False,
    "show_toc_level": 2,
    "navigation_with_keys": True,
}
copybutton_exclude = ".linenos, .gp"
