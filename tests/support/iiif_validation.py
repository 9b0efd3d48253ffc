"""The official validator of the IIIF Image API as it is installed, with the libmagic that pylibmagic brings.

python iiif_validation.py picture FILE: draw the picture that the validator wants to find.
python iiif_validation.py validate …: run it; what follows are its own options.
"""

import runpy
import sys
from pathlib import Path

import pylibmagic  # noqa: F401  # what it does is done by importing it, before the validator imports magic
from iiif_validator.validator import ValidationInfo
from PIL import Image


def draw(path: Path) -> None:
    """Draw ten by ten squares of a hundred pixels, in the colours that the validator knows."""
    picture = Image.new("RGB", (1000, 1000))
    for across, column in enumerate(ValidationInfo().colorInfo):
        for down, color in enumerate(column):
            picture.paste(color, (100 * across, 100 * down, 100 * across + 100, 100 * down + 100))
    picture.save(path)


if __name__ == "__main__":
    if sys.argv[1] == "picture":
        draw(Path(sys.argv[2]))
    else:
        sys.argv = ["iiif-validate.py", *sys.argv[2:]]
        runpy.run_path(str(Path(sys.executable).parent / "iiif-validate.py"), run_name="__main__")
