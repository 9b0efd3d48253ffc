"""A function of CloudFront's as it is deployed, in Node, asked line by line."""

import json
import subprocess
from pathlib import Path
from typing import Any

from stacks import node


class InNode:
    """Runs ``code`` in ``host``, a script that gives it nothing that CloudFront has not."""

    def __init__(self, host: Path, code: Path) -> None:
        self._node = subprocess.Popen([node(), host, code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, given: dict[str, Any]) -> Any:
        """Return what the function makes of it."""
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps(given).encode() + b"\n")
        self._node.stdin.flush()
        return json.loads(self._node.stdout.readline())

    def close(self) -> None:
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.close()
        self._node.wait(10)
        self._node.stdout.close()
