"""One of many processes that try to make the same results: prints the names it was the one to claim."""

import sys
from pathlib import Path

from darkroom.results.sqlite import SqliteResults
from darkroom.service import utc_now

IMAGE = "01k0000000000000000000000a"


def main() -> None:
    results = SqliteResults(Path(sys.argv[1]), utc_now)
    for number in range(int(sys.argv[2])):
        if results.claim(IMAGE, f"t/width={number}.jpg", 60):
            print(number)  # noqa: T201 # read by the test
    results.close()


if __name__ == "__main__":
    main()
