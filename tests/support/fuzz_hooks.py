"""What the fuzzer of ``test_fuzz.py`` does not send: what never comes to us."""

from typing import Any

import schemathesis

LONGEST = 4_000
"""Letters of a query; percent-encoded they may be twelve times as many bytes. From 64 KiB on the HTTP server itself
answers 414 or 431, without a body, before a line of ours runs."""


@schemathesis.hook
def filter_query(_context: Any, query: Any) -> bool:
    """Tell whether a query is short enough for the HTTP server."""
    return len(str(query)) < LONGEST
