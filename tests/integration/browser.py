"""A page in a real browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def opened(browser: Any, address: str, **window: Any) -> Iterator[Any]:
    """A page that loads nothing from elsewhere, and on which nothing goes wrong."""
    page = browser.new_page(**{"viewport": {"width": 1200, "height": 900}, **window})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: said.type == "error" and _REFUSED not in said.text and wrong.append(said.text))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    own = (address.rpartition("/")[0], "data:", "blob:")
    page.on("request", lambda request: request.url.startswith(own) or wrong.append(f"loads {request.url}"))
    page.goto(address)
    yield page
    page.close()
    assert not wrong


#: A server's answer to what it does not take.
_REFUSED = "the server responded with a status of 4"
