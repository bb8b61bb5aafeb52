"""The pages of the site, and the files that they show."""

import re
from pathlib import Path

PAGES = Path(__file__).parents[1] / "docs" / "pages"
_BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def files_of(name):
    """Return path -> content of the files that a page shows."""
    found = dict(_BLOCK.findall((PAGES / name).read_text()))
    assert found, f"{name} shows no file"
    return found
