"""Ports that fail as they are told, for tests of what happens then. What does not fail is the real thing."""

from __future__ import annotations

from typing import Any


class Faulty:
    """Stands before a port. The next calls of a verb raise what ``fail`` was given, one error for each call."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._faults: dict[str, list[tuple[Exception, bool]]] = {}

    def fail(self, verb: str, *errors: Exception, afterwards: bool = False) -> None:
        """Have calls of ``verb`` raise; ``afterwards``: they do first what was asked, and the caller does not know."""
        self._faults.setdefault(verb, []).extend((error, afterwards) for error in errors)

    @property
    def is_spent(self) -> bool:
        """Whether everything that was to fail has failed."""
        return not any(self._faults.values())

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self._port, verb)

        def call(*arguments: Any, **named: Any) -> Any:
            if self._faults.get(verb):
                error, afterwards = self._faults[verb].pop(0)
                if afterwards:
                    method(*arguments, **named)
                raise error
            return method(*arguments, **named)

        return call
