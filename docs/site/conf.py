"""Sphinx: static pages from executed notebooks, without a request to any other server."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import course_utils

project = "Attention in Medicine"
author = "The authors of Attention in Medicine"
copyright = "the authors; text and figures CC BY 4.0, code BSD 3-Clause"
release = version = course_utils.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header", "config.cache"]
exclude_patterns = ["_build"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_ivar = True
napoleon_custom_sections = ["Shapes", "Shape", "Units", "Source"]

# MathJax beside the pages: one file that draws vector graphics and needs no fonts.
here = Path(__file__).parent
found = find_spec("sphinx-mathjax-offline")
mathjax = Path(found.origin).parent / "static" / "mathjax" / "tex-svg-full.js"
shutil.copyfile(mathjax, here / "_static" / "mathjax.js")
mathjax_path = "mathjax.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_context = {"default_mode": "auto"}
html_show_search_summary = False  # it would fetch pages, which a folder cannot give
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "navbar_persistent": [],
    "primary_sidebar_end": [],
}
sys.path.insert(0, str(here))
