"""Where a system is: nothing outside of its base URL is asked, so that no credentials go to anybody else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator
from yarl import URL

from actions.errors import ClinicSettingsError, InvalidRequestError

Params = Mapping[str, str] | Sequence[tuple[str, str]]

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def _base_url(value: str) -> str:
    try:
        url = URL(value)
    except ValueError:
        raise ValueError("is not a URL") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("must be a URL that starts with https:// or http:// and names a host")
    if url.user is not None or url.password is not None:
        raise ValueError("must not hold a user name or a password: they have settings of their own")
    if url.query_string or url.fragment:
        raise ValueError("must have no query and no fragment")
    return value


# For settings: the URL of a system, without credentials, query and fragment.
BaseUrl = Annotated[str, AfterValidator(_base_url)]


class Address:
    """A system's base URL."""

    def __init__(self, system: str, base_url: str) -> None:
        try:
            self._base = URL(_base_url(base_url))
        except ValueError as exc:
            raise ClinicSettingsError([f"the URL of {system} {exc}"]) from None
        self._system = system
        self._folder = self._base.raw_path.rstrip("/") + "/"

    @property
    def url(self) -> URL:
        """The base URL itself."""
        return self._base

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return str(self._base.origin())

    def below(self, path: str, params: Params | None) -> URL:
        """Return a relative path, or a whole URL below the base URL, as a URL; "" is the base URL as it was given.

        Raises:
            InvalidRequestError: it leads elsewhere, as a link in an answer may.
        """
        try:
            url = self._whole(path)
            found = url.extend_query(params) if params else url
            origin = found.origin()
        except (ValueError, TypeError):
            raise InvalidRequestError(f"a path for {self._system} cannot be put into a URL") from None
        inside = f"{found.raw_path}/".startswith(self._folder)
        if origin != self._base.origin() or not inside or found.user is not None:
            raise InvalidRequestError(f"a link for {self._system} leads out of its base URL {self._base}; not followed")
        return found

    def _whole(self, path: str) -> URL:
        if not path:
            return self._base
        if _ABSOLUTE.match(path):
            return URL(path)
        return URL(f"{str(self._base).rstrip('/')}/{path.lstrip('/')}")
