"""Routes of ``/v1/sign`` and ``/v1/secrets``: addresses of transformations, and what they are signed with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from darkroom.access import Caller, Scope
from darkroom.access.signing import Secrets, SigningSecret, signing
from darkroom.edge import signatures
from darkroom.errors import InvalidRequest, NotFound
from darkroom.http.authority import Authority
from darkroom.http.documents import timestamp
from darkroom.model import Image
from darkroom.service import Service
from darkroom.transform.options import MOST_LETTERS, NOT_OF_THE_PICTURE, parse

LONGEST_SECONDS = 10 * 366 * 86_400


class ToSign(BaseModel):
    """What is to be signed: options as they stand in the address."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=64)]
    options: Annotated[str, Field(min_length=1, max_length=MOST_LETTERS, examples=["width=640,height=360,fit=cover"])]
    ext: Literal["auto", "jpg", "png", "webp", "avif", "gif"] = "auto"
    family: bool = Field(default=False, description="Sign for every width of the list: for a `srcset`.")
    expires_in: Annotated[int, Field(ge=1, le=LONGEST_SECONDS)] | None = Field(
        None, description="Seconds from now; for ever unless given."
    )


class SignedDocument(BaseModel):
    """A signed address. For a family ``{width}`` stands in ``template`` where one of ``widths`` goes."""

    url: str
    template: str | None = None
    widths: list[int] | None = None
    kid: str
    expires_at: str | None = None


class SecretDocument(BaseModel):
    """A signing secret. Its text, ``ID.SECRET``, is in the answer that makes it and in no other."""

    id: str
    owner: str
    created_at: str
    secret: str | None = None


class SecretsDocument(BaseModel):
    """All live signing secrets."""

    items: list[SecretDocument]


class NewSecret(BaseModel):
    """Whose secret is to be made."""

    model_config = ConfigDict(extra="forbid")

    owner: Annotated[str, Field(pattern="^[a-z0-9_-]{1,64}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed address without its host; of a family ``template`` has ``{width}`` where one of the widths goes."""

    path: str
    kid: str
    expires_at: datetime | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs addresses of transformations; ``widths`` are those that a family's signature holds for."""

    secrets: Secrets
    clock: Callable[[], datetime]
    widths: tuple[int, ...]

    def sign(
        self, image: Image, options: str, ext: str, *, family: bool = False, expires_in: int | None = None
    ) -> Signed:
        """Sign with the newest secret of the image's owner, for ``expires_in`` seconds or for ever.

        Raises ``InvalidRequest`` naming the option that is wrong.
        """
        given = parse(options)
        for name in NOT_OF_THE_PICTURE:
            if getattr(given, name) is not None:
                msg = f"options: {name} is added here; leave it away, and give expires_in for an end"
                raise InvalidRequest(msg)
        secret, now = signing(self.secrets, image.owner), self.clock()
        exp = None if expires_in is None else int(now.timestamp()) + expires_in
        text = ",".join([options, f"kid={secret.id}", *([] if exp is None else [f"exp={exp}"])])
        parse(text)
        expires_at = None if exp is None else now.fromtimestamp(exp, tz=now.tzinfo)
        if not family:
            signature = signatures.sign(secret.secret, image.id, text, ext)
            path = signatures.path_of(image.id, text, signature, ext)
            return Signed(path=path, kid=secret.id, expires_at=expires_at)
        try:
            signature = signatures.sign_family(secret.secret, image.id, text, ext)
        except ValueError as error:
            msg = "options: a family takes width, whatever its value, for the widths to take its place"
            raise InvalidRequest(msg) from error

        def of_width(width: str) -> str:
            return signatures.path_of(image.id, signatures.any_width(text, width), signature, ext)

        first, template = of_width(str(self.widths[0])), of_width("{width}")
        return Signed(path=first, kid=secret.id, expires_at=expires_at, template=template)


def signing_routes(
    service: Service, secrets: Secrets, authority: Authority, delivery_url: str, widths: tuple[int, ...]
) -> APIRouter:
    """Return the routes; ``widths`` are those a family's signature holds for."""
    router = secret_routes(secrets, authority)
    reader = Annotated[Caller, Depends(authority.needs(Scope.READ))]

    @router.post("/v1/sign", response_model=SignedDocument, response_model_exclude_none=True)
    def post_sign(body: ToSign, response: Response, caller: reader) -> dict[str, Any]:
        """Sign the address of a transformation of an image: with the newest secret of its owner."""
        image = service.image(caller.owner, body.id)
        signer = Signer(secrets, service.clock, widths)
        signed = signer.sign(image, body.options, body.ext, family=body.family, expires_in=body.expires_in)
        response.headers["cache-control"] = "no-store"
        said: dict[str, Any] = {"kid": signed.kid, "url": delivery_url + signed.path}
        if signed.expires_at is not None:
            said["expires_at"] = timestamp(signed.expires_at)
        if signed.template is not None:
            said |= {"template": delivery_url + signed.template, "widths": list(widths)}
        return said

    return router


def secret_routes(secrets: Secrets, authority: Authority) -> APIRouter:
    """Return the routes of the secrets alone."""
    router = APIRouter(tags=["transformations"])
    administrator = Annotated[Caller, Depends(authority.needs(Scope.ADMIN))]

    @router.post("/v1/secrets", status_code=201, response_model=SecretDocument)
    def post_secret(body: NewSecret, response: Response, caller: administrator) -> dict[str, Any]:  # noqa: ARG001
        """Make a signing secret: it signs from now on, and those before it stay good until they are retired."""
        secret = secrets.add(body.owner)
        response.headers["cache-control"] = "no-store"
        return _shown(secret) | {"secret": secret.text}

    @router.get("/v1/secrets", response_model=SecretsDocument, response_model_exclude_none=True)
    def list_secrets(caller: administrator) -> dict[str, Any]:  # noqa: ARG001  # asked for its scope
        """List all live signing secrets, without their texts."""
        return {"items": [_shown(secret) for secret in secrets.list()]}

    @router.delete("/v1/secrets/{id}", status_code=204, response_class=Response)
    def delete_secret(id: Annotated[str, Path(max_length=64)], caller: administrator) -> Response:  # noqa: A002, ARG001
        """Retire a signing secret: within seconds nothing that it signed is answered any more."""
        if not secrets.retire(id):
            msg = "there is no signing secret of this id"
            raise NotFound(msg)
        return Response(status_code=204)

    return router


def _shown(secret: SigningSecret) -> dict[str, Any]:
    return {"id": secret.id, "owner": secret.owner, "created_at": timestamp(secret.created_at)}
