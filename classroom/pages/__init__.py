"""Pages of the classroom: a template each, one style, nothing from outside, all escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["PAGES", "page"]

PAGES = Path(__file__).parent


def page(template: str, **values: Any) -> str:
    """Fill a template of this folder; what a student may have written is escaped."""
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["url"] = lambda text: quote(str(text), safe="")
    made = datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC")
    return environment.get_template(template).render(made=made, **values)
