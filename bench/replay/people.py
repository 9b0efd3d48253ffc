"""What people do: who looks at which picture, how often, and with what they upload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

PEAK_VIEWS = 3 * 12_600_000 / (30 * 86_400)
PEAK_UPLOADS = 3 * 360_000 / (30 * 86_400)
"""A second, of the article's workload: three times the mean; 35 views for an upload."""

SIDES = ("small", "medium", "large")
SHARES = (0.6, 0.3, 0.1)
MODERN = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
PLAIN = "image/png,image/*;q=0.8,*/*;q=0.5"
MODERN_SHARE = 0.93
MISSING_SHARE = 0.01
ZIPF = 0.8


@dataclass(slots=True)
class Library:
    """The images there are, oldest first, each with a popularity of its own."""

    chance: random.Random
    ids: list[str] = field(default_factory=list)
    _popularity: list[float] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)

    def add(self, image_id: str) -> None:
        """Another image can be looked at; nothing changes if it is known."""
        if image_id in self._known:
            return
        self._known.add(image_id)
        self.ids.append(image_id)
        # The popularity of a rank is that to the power of -ZIPF; which rank an image has is by chance.
        self._popularity.append((1 - self.chance.random()) ** -ZIPF)

    def view(self) -> tuple[str, str]:
        """Return the path of a view and its Accept header: of a new image rather, and of a popular one rather."""
        accept = MODERN if self.chance.random() < MODERN_SHARE else PLAIN
        side = self.chance.choices(SIDES, SHARES)[0]
        if self.chance.random() < MISSING_SHARE or not self.ids:
            return f"/i/0{self.chance.randrange(10**20):025d}/{side}", accept
        numbers = [self._new(), self._new()]
        number = self.chance.choices(numbers, [self._popularity[one] for one in numbers])[0]
        return f"/i/{self.ids[number]}/{side}", accept

    def _new(self) -> int:
        """Return an image, as likely as one over how many are newer."""
        newer = int((len(self.ids) + 1) ** self.chance.random()) - 1
        return len(self.ids) - 1 - min(newer, len(self.ids) - 1)


@dataclass(frozen=True, slots=True)
class Photos:
    """Photos to upload; each time with a comment of its own, so that no two are the same file."""

    bodies: tuple[bytes, ...]

    def make(self, number: int) -> bytes:
        """Return the photo of this number."""
        body = self.bodies[number % len(self.bodies)]
        if not body.startswith(b"\xff\xd8"):
            return body
        comment = b"%d" % number
        return body[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + body[2:]
