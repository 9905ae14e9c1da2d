"""Renders HTML pages from the Jinja templates in a package's folder ``templates``.

The folder ``templates`` beside this module has the parts that several pages include: the style of a page, and the
slider that shows one image left of a line and another one right of it.
"""

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
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("colorize_core.runtime")]),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
