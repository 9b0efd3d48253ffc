"""On what a figure was measured: every bench prints it first. Run alone, it prints that and nothing else."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("granian", "fastapi", "pyvips", "pyvips-binary", "obstore", "uvloop")


def print_machine() -> None:
    """Print processor, memory, system, versions, and how busy the machine is with other things."""
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024**2
    print(
        f"{names[0] if names else platform.machine()}, {len(os.sched_getaffinity(0))} processors, "
        f"{memory:.0f} GiB memory, Linux {platform.release()}"
    )
    print(f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in PACKAGES))
    print_load()
    print()


def print_load() -> None:
    """Print the load average; with more than a tenth of a processor of other work, figures of time say little."""
    print("load average " + ", ".join(f"{load:.2f}" for load in os.getloadavg()))


if __name__ == "__main__":
    print_machine()
