"""The settings of services, which remember what was read of them: what nobody reads is mostly a typing error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from action_server.nearest import nearest


@dataclass(frozen=True)
class UnreadSetting:
    """A setting that nobody asked for, by its ``path`` from ``services`` on, and the one asked for that is ``near``."""

    path: tuple[str, ...]
    near: str | None

    def __str__(self) -> str:
        return ".".join(("services", *self.path))

    def is_in(self, tree: Mapping[str, Any]) -> bool:
        """Tell whether a tree of settings has it."""
        found: Any = tree
        for key in self.path:
            if not isinstance(found, Mapping) or key not in found:
                return False
            found = found[key]
        return True

    @property
    def hint(self) -> str:
        """What may have been meant; empty if nothing is close."""
        return f"; did you mean {'.'.join(('services', *self.path[:-1], self.near))}?" if self.near else ""


class ServiceSettings(dict[str, Any]):
    """A dict for a lifespan, and dicts in it, that remember which keys were asked for, there or not.

    All ways of reading count: ``**config``, ``dict(config)``, JSON and pydantic go through the methods below, as Python
    copies a dict behind its back only while ``__iter__`` is its own. Libraries in C that do not, such as msgspec, are
    to be given ``dict(config)``.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__({k: ServiceSettings(v) if isinstance(v, Mapping) else v for k, v in content.items()})
        self._asked: set[str] = set()

    def unread(self) -> Iterator[UnreadSetting]:
        """Yield what nobody asked for; of a mapping that nobody read, only the mapping itself."""
        yield from self._unread(())

    def _unread(self, path: tuple[str, ...]) -> Iterator[UnreadSetting]:
        for key, value in super().items():
            here = (*path, str(key))
            if key not in self._asked:
                others = [str(k) for k in self._asked if not super(ServiceSettings, self).__contains__(k)]
                yield UnreadSetting(here, nearest(str(key), others or map(str, self._asked)))
            # One that was handed on and not asked for anything may be read by C code, or later.
            elif isinstance(value, ServiceSettings) and value._asked:
                yield from value._unread(here)

    def __getitem__(self, key: str) -> Any:
        self._asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._asked.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As of any dict."""
        self._asked.add(key)
        return super().get(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        """As of any dict."""
        self._asked.add(key)
        return super().pop(key, *default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As of any dict."""
        self._asked.add(key)
        return super().setdefault(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all().keys())

    def keys(self) -> Any:
        """As of any dict."""
        return self._all().keys()

    def values(self) -> Any:
        """As of any dict."""
        return self._all().values()

    def items(self) -> Any:
        """As of any dict."""
        return self._all().items()

    def copy(self) -> dict[str, Any]:
        """Return a plain dict of the same content."""
        return dict(self._all().items())

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        # A copy, deep or by pickle, is for somebody who has read it.
        return dict, (self.copy(),)

    def _all(self) -> Any:
        """Return the methods of a plain dict, for whoever reads everything."""
        self._asked.update(super().keys())
        return super()
