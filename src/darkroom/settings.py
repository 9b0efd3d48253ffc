"""Every setting, declared once: its default, its bounds, one sentence. Read from the environment once, at start.

``docs/settings.md`` is generated from here (``make docs``).
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from darkroom.access import FASTEST_RATE, LARGEST_BURST, SLOWEST_RATE, clean_owner
from darkroom.catalog.terms import Kind
from darkroom.errors import BadConfiguration, InvalidRequest
from darkroom.model import OriginalPolicy, Truncated
from darkroom.transform.recipes import LONGEST_SIDE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

PREFIX = "DARKROOM_"

CLIENT_VARIABLES = frozenset({"DARKROOM_SERVER", "DARKROOM_KEY"})
"""What the command line reads as a client of a running service; no settings of the service itself."""

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

_Kind = TypeVar("_Kind", bound="Shared")
_URL: TypeAdapter[AnyHttpUrl] = TypeAdapter(AnyHttpUrl)
_MEBIBYTE = 1024 * 1024
SMALLEST_S3_PART = 5 * _MEBIBYTE
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""


class Shared(BaseModel):
    """The settings that every deployment has. Each is the environment variable ``DARKROOM_`` + its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    public_url: str = Field(
        "", description="How people reach the API, e.g. https://images.example; empty: http://HOST:PORT."
    )
    assets_url: str = Field(
        "", description="How readers reach delivered pictures (a CDN's address, say); empty: the same as PUBLIC_URL."
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Origins whose pages may call `/v1` and the upload door, separated by commas."
    )
    render_seconds: float = Field(60.0, ge=1, le=900, description="Longest time one image may take to render.")
    render_memory_bytes: int = Field(
        3072 * _MEBIBYTE, ge=256 * _MEBIBYTE, description="Most memory one jailed process may take."
    )
    render_recycle: int = Field(1, ge=1, description="Images after which a jailed process is replaced by a fresh one.")
    attempts: int = Field(5, ge=1, le=20, description="Tries an event is given before its image is marked failed.")
    recipes: Path | None = Field(None, description="TOML file of named variants; empty: large, medium and small.")
    default_image: Path | None = Field(
        None, description="Picture served where there is none; empty: the one that comes with the service."
    )
    originals: OriginalPolicy = Field(
        OriginalPolicy.DELETE, description="What becomes of an original once its variants are made."
    )
    max_upload_bytes: int = Field(64 * _MEBIBYTE, ge=1, description="Longest file by ticket, in bytes.")
    max_post_bytes: int = Field(4 * _MEBIBYTE, ge=1, description="Longest file by `POST /v1/images`, in bytes.")
    max_pixels: int = Field(100_000_000, ge=1, description="Most pixels of an original over all its frames.")
    max_side: int = Field(32_767, ge=1, le=65_535, description="Longest side of an original, in pixels.")
    max_frames: int = Field(1_000, ge=1, description="Most frames of an animated original.")
    svg: bool = Field(
        default=False, description="Accept SVG too, drawn in the jail: without text, scripts, or anything from outside."
    )
    truncated: Truncated = Field(
        Truncated.REFUSE,
        description="What becomes of a JPEG that is cut off: `refuse`, or `accept` and show what is there of it.",
    )
    max_tags: int = Field(50, ge=0, le=500, description="Most tags of one image.")
    search_kinds: tuple[str, ...] = Field(
        tuple(kind.value for kind in Kind),
        description="Costly kinds of search terms that are kept (docs/searching.md), separated by commas; or `none`.",
    )
    key_rate: float = Field(
        0.0, ge=0, le=FASTEST_RATE, description="Requests a second that each key may make; 0: as many as it likes."
    )
    key_burst: int = Field(
        100, ge=1, le=LARGEST_BURST, description="Requests a key may make at once after a pause, where it has a rate."
    )
    owner_images: int = Field(0, ge=0, description="Most images of one owner; 0: as many as it likes.")
    owner_bytes: int = Field(
        0, ge=0, description="Most bytes of one owner's originals and variants; 0: as many as it likes."
    )
    owner_open_tickets: int = Field(
        0, ge=0, description="Most uploads by ticket that one owner may have open; 0: as many as it likes."
    )
    ticket_seconds: int = Field(900, ge=10, le=900, description="Life of an upload ticket.")
    part_bytes: int = Field(
        8 * _MEBIBYTE,
        ge=1024,
        description="Longer files come in parts of so many bytes; on AWS at least 5 MiB (docs/http-api.md).",
    )
    parts_seconds: int = Field(86_400, ge=10, le=86_400, description="Life of an upload in parts.")
    minimum_upload_rate: int = Field(
        1024, ge=1, description="Slowest upload that is still waited for, in bytes a second over its whole length."
    )
    browser_seconds: int = Field(86_400, ge=0, description="How long a browser keeps a delivered picture.")
    edge_seconds: int = Field(31_536_000, ge=0, description="How long a CDN keeps a delivered picture.")
    miss_seconds: int = Field(10, ge=0, le=3600, description="How long anybody keeps the default image.")
    srcset_widths: tuple[int, ...] = Field(
        (160, 320, 480, 640, 768, 960, 1080, 1280, 1600, 1920, 2560, 3840),
        description="Widths that one signature of a family holds for, separated by commas.",
    )
    unsigned_sizes: tuple[str, ...] = Field(
        (),
        description="Sizes made without a signature, such as `320x0,640x480` (0: as it comes out); empty: none.",
    )
    iiif_owners: tuple[str, ...] = Field(
        (),
        description="Owners whose images are under `/iiif/` for all, unsigned, separated by commas; empty: none.",
    )
    iiif_rate: float = Field(
        20.0,
        ge=0,
        le=FASTEST_RATE,
        description="New pictures a second that are made there for each owner; 0: as many as asked for.",
    )
    iiif_burst: int = Field(
        200, ge=1, le=LARGEST_BURST, description="New pictures that are made there at once after a pause, likewise."
    )
    avif_budget_seconds: float = Field(
        0.3, ge=0, le=60, description="Time a negotiated AVIF may take before WebP or JPEG is shown in its place."
    )
    result_days: int = Field(
        30, ge=0, le=3650, description="Days a transformation is kept that nobody asks for; 0: for ever."
    )
    failed_days: int = Field(
        14, ge=0, le=3650, description="Days the original of a failed image is kept (docs/maintenance.md)."
    )
    deleted_days: int = Field(
        30, ge=1, le=3650, description="Days it is remembered that an image was deleted (docs/maintenance.md)."
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")

    @field_validator("srcset_widths", "unsigned_sizes", "iiif_owners", "allowed_origins", "search_kinds", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value)

    @field_validator("key_rate", "iiif_rate")
    @classmethod
    def _is_rate(cls, value: float) -> float:
        return _rate(value)

    @field_validator("public_url", "assets_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if value:
            _URL.validate_python(value)
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and _URL.validate_python(origin).path not in {None, "/"}:
                msg = f"{origin} has a path; an origin is scheme, host and port only"
                raise ValueError(msg)
        return tuple(origin.rstrip("/") for origin in value)

    @field_validator("srcset_widths")
    @classmethod
    def _are_widths(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= width <= LONGEST_SIDE for width in value):
            msg = f"a width is 1 to {LONGEST_SIDE}"
            raise ValueError(msg)
        return tuple(sorted(set(value)))

    @field_validator("unsigned_sizes")
    @classmethod
    def _are_sizes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for size in value:
            if _size(size) in {None, (None, None)}:
                msg = f"{size[:40]} is no size such as 640x480, 640x0 or 0x480, of {LONGEST_SIDE} at most"
                raise ValueError(msg)
        return value

    @field_validator("iiif_owners")
    @classmethod
    def _are_owners(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(clean_owner(owner) for owner in value)
        except InvalidRequest as error:
            raise ValueError(error.detail) from error

    @field_validator("search_kinds")
    @classmethod
    def _are_kinds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for kind in value if value != ("none",) else ():
            if kind not in set(Kind):
                msg = f"{kind[:40]} is none of {', '.join(Kind)}"
                raise ValueError(msg)
        return value

    @property
    def kinds(self) -> frozenset[Kind]:
        """The costly kinds of search terms that are kept."""
        return frozenset(map(Kind, self.search_kinds)) if self.search_kinds != ("none",) else frozenset()

    @property
    def unsigned(self) -> frozenset[tuple[int | None, int | None]]:
        """The widths and heights, ``None`` for one that is not given, of what is made without a signature."""
        return frozenset(size for text in self.unsigned_sizes if (size := _size(text)) is not None)

    @property
    def base_url(self) -> str:
        """The address of the API, without a slash at its end."""
        return self.public_url.rstrip("/")

    @property
    def delivery_url(self) -> str:
        """The address under which ``/i/`` lies, without a slash at its end."""
        return (self.assets_url or self.base_url).rstrip("/")


class Settings(Shared):
    """The settings of the one-machine deployment, on top of what every one has."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every network.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    data: Path = Field(Path("data"), description="Folder where everything the service keeps lies.")
    keys: bool = Field(
        default=True, description="Ask callers for an API key; false serves the one owner `local`, on loopback only."
    )
    workers: int = Field(2, ge=1, le=64, description="Processes that answer HTTP.")
    render_workers: int = Field(
        0, ge=0, le=64, description="Jailed processes that decode and encode; 0: one for each processor."
    )
    result_workers: int = Field(
        0, ge=0, le=64, description="Jailed processes beside those, for transformations; 0: one for each processor."
    )
    result_queue: int = Field(
        200, ge=1, le=10_000, description="Transformations that may wait to be made; more are answered 503."
    )
    jail_layers: tuple[str, ...] = Field(
        (), description="Layers of the jail without which the service refuses to start, separated by commas."
    )
    reserve_bytes: int = Field(
        64 * _MEBIBYTE,
        ge=0,
        description="Room on the disk that no picture takes, so that deletes and changes work when it is full.",
    )
    max_simultaneous_uploads: int = Field(
        64, ge=1, description="Bodies one HTTP process receives at a time; more are answered 503."
    )
    idle_seconds: float = Field(20.0, ge=0.1, description="Longest silence within an upload before it is given up.")
    hot_cache_bytes: int = Field(
        128 * _MEBIBYTE, ge=0, description="Memory each HTTP process may use for pictures that are asked for often."
    )
    sweep_seconds: int = Field(
        3600, ge=0, description="Pause between two sweeps, about; 0: only when `darkroom sweep` is run."
    )
    purge_url: str = Field(
        "",
        description="What an edge in front is sent `PURGE` for, with `{path}` or `{id}` in it (docs/maintenance.md).",
    )
    purge_host: str = Field("", description="`Host` header of these requests; empty: the host of PURGE_URL.")
    purge_command: str = Field("", description="Command that has an edge in front forget an image, instead.")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Loopback port that answers `/metrics` without a key; 0: only with an admin key."
    )

    @field_validator("jail_layers", mode="before")
    @classmethod
    def _split_lists(cls, value: object) -> object:
        return _parts(value)

    @field_validator("purge_url")
    @classmethod
    def _says_what_to_purge(cls, value: str) -> str:
        if value:
            _URL.validate_python(value.replace("{path}", "/").replace("{id}", "id"))
            if "{path}" not in value and "{id}" not in value:
                msg = "there must be {path} or {id} in it, or every purge would be the same"
                raise ValueError(msg)
        return value

    @field_validator("purge_command")
    @classmethod
    def _is_a_command(cls, value: str) -> str:
        shlex.split(value)
        return value

    @model_validator(mode="after")
    def _keyless_only_on_loopback(self) -> Self:
        if not self.keys and self.host not in LOOPBACK_HOSTS:
            msg = f"{PREFIX}KEYS=false serves anybody who can connect, so {PREFIX}HOST must be a loopback address"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _one_way_to_purge(self) -> Self:
        if self.purge_url and self.purge_command:
            msg = f"{PREFIX}PURGE_URL and {PREFIX}PURGE_COMMAND are two ways to do the same; set one of them"
            raise ValueError(msg)
        return self

    @property
    def base_url(self) -> str:
        """The address of the API, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def processors(self) -> int:
        """How many jailed processes to run for uploads."""
        return self.render_workers or len(os.sched_getaffinity(0))

    @property
    def result_processors(self) -> int:
        """How many jailed processes to run for transformations."""
        return self.result_workers or len(os.sched_getaffinity(0))


class CloudSettings(Shared):
    """The settings of the deployment on AWS, on top of what every one has: set by ``infra/template.yaml``."""

    table: str = Field("", description="DynamoDB table of images and their search terms.")
    keys_table: str = Field("", description="DynamoDB table of API keys and rates.")
    secrets_table: str = Field("", description="DynamoDB table of what addresses of transformations are signed with.")
    results_table: str = Field("", description="DynamoDB table of what was made by an address.")
    secrets_function: str = Field("", description="Function that has CloudFront know these secrets.")
    secrets_store: str = Field("", description="CloudFront's key value store, which they lie in for its functions.")
    uploads_bucket: str = Field("", description="S3 bucket of originals.")
    assets_bucket: str = Field("", description="S3 bucket that CloudFront reads.")
    events_queue_url: str = Field("", description="SQS queue of what is to be worked on.")
    failed_queue_url: str = Field("", description="SQS queue of what nobody works on until a person asks for it.")
    purge_queue_url: str = Field(
        "", description="SQS queue of what CloudFront has to forget; empty: its copies live out their time."
    )
    distribution_id: str = Field("", description="CloudFront distribution that delivers.")
    iiif_url: str = Field("", description="Address under which viewers find `/iiif/`.")

    @field_validator("part_bytes")
    @classmethod
    def _s3_takes_such_parts(cls, value: int) -> int:
        if value < SMALLEST_S3_PART:
            msg = f"S3 takes no parts of fewer than {SMALLEST_S3_PART} bytes, but for the last one"
            raise ValueError(msg)
        return value

    def given(self, name: str) -> str:
        """Return a setting that the function at hand cannot do without. Raises ``BadConfiguration``."""
        value: str = getattr(self, name)
        if not value:
            msg = f"{PREFIX}{name.upper()} is not set, and this function needs it"
            raise BadConfiguration(msg)
        return value


def _rate(value: float) -> float:
    if 0 < value < SLOWEST_RATE:
        msg = f"a rate is 0 or at least {SLOWEST_RATE:g}"
        raise ValueError(msg)
    return value


def _parts(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _size(text: str) -> tuple[int | None, int | None] | None:
    """Return width and height of ``640x480``, 0 being ``None``; or ``None`` for what is no size."""
    sides = text.split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() and len(side) <= 4 for side in sides):
        return None
    width, height = map(int, sides)
    return (width or None, height or None) if max(width, height) <= LONGEST_SIDE else None


def load(**overrides: object) -> Settings:
    """Read the settings from the environment; ``overrides`` (of a command line) win over it.

    Raises ``BadConfiguration`` naming the variable that is wrong, or unknown.
    """
    return from_mapping(os.environ, **overrides)


def load_cloud() -> CloudSettings:
    """Read the settings of the deployment on AWS from the environment; raises as ``load``."""
    return cloud_from_mapping(os.environ)


def cloud_from_mapping(environment: Mapping[str, str]) -> CloudSettings:
    """Read them from ``environment``, a function's say, instead of the process's own; raises as ``load``."""
    return _read(CloudSettings, environment, {})


def aws_endpoint(service: str) -> str | None:
    """Return where a service of AWS is to be reached, where that is not AWS itself: an emulator, say."""
    return (
        os.environ.get(f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}")
        or os.environ.get("AWS_ENDPOINT_URL")
        or None
    )


def lambda_memory_bytes() -> int | None:
    """Return the memory of the Lambda function that this process is, ``None`` where it is none."""
    mebibytes = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    return int(mebibytes) * _MEBIBYTE if mebibytes else None


def from_mapping(environment: Mapping[str, str], **overrides: object) -> Settings:
    """Read the settings from ``environment`` instead of the process's own; as ``load``."""
    return _read(Settings, environment, overrides)


def _read(kind: type[_Kind], environment: Mapping[str, str], overrides: Mapping[str, object]) -> _Kind:
    known = set(kind.model_fields)
    values: dict[str, object] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or variable in CLIENT_VARIABLES:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in known:
            msg = f"{variable} is no setting of Darkroom; docs/settings.md lists them all"
            raise BadConfiguration(msg)
        if text:
            values[name] = text
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise BadConfiguration(_sentence(error)) from error


def given() -> tuple[str, ...]:
    """Return the names of the settings that the environment has a value for."""
    variables = (name for name, value in os.environ.items() if value and name.startswith(PREFIX))
    return tuple(sorted(name for name in variables if name not in CLIENT_VARIABLES))


def hand_over(settings: Settings) -> None:
    """Write the settings into this process's environment, so that the processes it starts ``load`` the same ones."""
    os.environ.update(environment_of(settings))


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the settings as environment variables: ``from_mapping`` of them gives equal settings."""
    return dict(_variables(settings))


def clean_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without any setting: what a process that needs none is started with."""
    source = os.environ if environment is None else environment
    return {name: value for name, value in source.items() if not name.startswith(PREFIX)}


def _variables(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is None:
            continue
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        yield f"{PREFIX}{name.upper()}", text


def _sentence(error: ValidationError) -> str:
    sentences = []
    for problem in error.errors():
        where = "".join(f"{PREFIX}{str(part).upper()}: " for part in problem["loc"][:1])
        sentences.append(where + problem["msg"].removeprefix("Value error, "))
    return "; ".join(sentences)


def table() -> str:
    """Return ``docs/settings.md``."""
    rows = [
        "# Settings",
        "",
        "Every setting is an environment variable, read once when the service starts; a wrong or unknown one stops the",
        "start and is named. This page is generated from `src/darkroom/settings.py` by `make docs`.",
        *_section("Everywhere", Shared, ()),
        *_section("On one machine", Settings, Shared.model_fields),
        *_section("On AWS", CloudSettings, Shared.model_fields),
    ]
    return "\n".join(rows) + "\n"


def _section(title: str, kind: type[Shared], known: Collection[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "", "| variable | default | bounds | meaning |", "|---|---|---|---|")
    for name, field in kind.model_fields.items():
        if name in known:
            continue
        default = field.default
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else "" if default is None else str(default)
        bounds = " ".join(_bounds(field.metadata))
        yield f"| `{PREFIX}{name.upper()}` | {f'`{shown}`' if shown else ''} | {bounds} | {field.description} |"


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for bound in metadata:
        for attribute, sign in (("ge", "≥"), ("le", "≤")):
            value = getattr(bound, attribute, None)
            if value is not None:
                yield f"{sign} {value:,}".replace(",", " ")
