"""Renders HTML pages from the Jinja templates in a package's folder ``templates``."""

from __future__ import annotations

from typing import Any


def render(package: str, template: str, **values: Any) -> str:
    """Returns the HTML page that a template makes of values.

    Values are escaped for HTML. A name that the template uses and that was not given is an error.

    Args:
        package: full name of the package whose folder ``templates`` has the template.
        template: file name of the template.
        values: what the template shows, by name.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
