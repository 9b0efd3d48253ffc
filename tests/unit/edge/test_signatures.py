"""Signed addresses: what verifies, and everything that must not."""

import base64
import hashlib
import hmac
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.edge.signatures import SignedPath, path_of, sign, sign_family, split, verify

ID = "01k9w0c6n8e8m5f4q2v7x3y1za"
OTHER = "01k9w0c6n8e8m5f4q2v7x3y1zb"
WIDTHS = frozenset({"320", "640"})


@pytest.fixture(scope="module")
def secret():
    return secrets.token_bytes(32)


def signed(secret, options="width=640,kid=a", ext="jpg", image_id=ID):
    return SignedPath(image_id, options, sign(secret, image_id, options, ext), ext)


def family(secret, options="width=640,fit=cover,height=100", ext="auto"):
    return SignedPath(ID, options, sign_family(secret, ID, options, ext), ext)


def test_a_signature_is_what_the_contract_says(secret):
    said = hmac.new(secret, f"{ID}/width=640,kid=a.jpg".encode(), hashlib.sha256).digest()[:16]
    assert signed(secret).signature == "s" + base64.urlsafe_b64encode(said).decode().rstrip("=")


def test_what_was_signed_verifies_with_any_of_the_live_secrets(secret):
    path = signed(secret)
    assert verify(path, [secret], WIDTHS)
    assert verify(path, [secrets.token_bytes(32), secret], WIDTHS)
    assert not verify(path, [secrets.token_bytes(32)], WIDTHS)
    assert not verify(path, [], WIDTHS)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: SignedPath(OTHER, path.options, path.signature, path.extension),
        lambda path: SignedPath(path.image_id, "width=641,kid=a", path.signature, path.extension),
        lambda path: SignedPath(path.image_id, "kid=a,width=640", path.signature, path.extension),
        lambda path: SignedPath(path.image_id, path.options + ",blur=5", path.signature, path.extension),
        lambda path: SignedPath(path.image_id, path.options, path.signature, "png"),
        lambda path: SignedPath(path.image_id, path.options, path.signature, "auto"),
        lambda path: SignedPath(path.image_id, path.options, "f" + path.signature[1:], path.extension),
        lambda path: SignedPath(path.image_id, path.options, "u", path.extension),
        lambda path: SignedPath(path.image_id, path.options, path.signature + "=", path.extension),
        lambda path: SignedPath(path.image_id, path.options, path.signature[:-1], path.extension),
        lambda path: SignedPath(path.image_id, path.options, path.signature * 2, path.extension),
        lambda path: SignedPath(path.image_id, path.options, "", path.extension),
    ],
)
def test_nothing_else_verifies(secret, change):
    assert not verify(change(signed(secret)), [secret], WIDTHS)


def test_the_spare_bits_of_the_last_letter_are_no_second_signature(secret):
    path = signed(secret)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [path.signature[:-1] + letter for letter in alphabet if letter != path.signature[-1]]
    assert not any(verify(SignedPath(ID, path.options, other, "jpg"), [secret], WIDTHS) for other in others)


@pytest.mark.parametrize(
    ("width", "good"), [("320", True), ("640", True), ("641", False), ("*", False), ("0320", False)]
)
def test_a_family_holds_for_the_widths_of_the_list(secret, width, good):
    path = family(secret)
    options = path.options.replace("640", width)
    assert verify(SignedPath(ID, options, path.signature, "auto"), [secret], WIDTHS) is good


def test_a_family_holds_for_nothing_else(secret):
    path = family(secret)
    for options in (
        "width=640,fit=cover,height=101",
        "width=640,fit=cover",
        "width=640,width=320,fit=cover,height=100",
    ):
        assert not verify(SignedPath(ID, options, path.signature, "auto"), [secret], WIDTHS)
    assert not verify(SignedPath(ID, path.options, "s" + path.signature[1:], "auto"), [secret], WIDTHS)
    with pytest.raises(ValueError, match="exactly one width"):
        sign_family(secret, ID, "height=5", "jpg")


def test_a_path_is_split_into_what_was_put_together():
    path = path_of(ID, "width=640,kid=a", "s" + "x" * 22, "auto")
    assert path == f"/i/{ID}/t/width=640,kid=a/s{'x' * 22}.auto"
    assert split(path) == SignedPath(ID, "width=640,kid=a", "s" + "x" * 22, "auto")


SIGNATURE = "s" + "x" * 22


@pytest.mark.parametrize(
    "path",
    [
        f"/i/{ID}/t/width=5",
        f"/i/{ID}/t/width=5.jpg",
        f"/i/{ID}/t//{SIGNATURE}.jpg",
        f"/i/{ID}/t/width=5/{SIGNATURE}",
        f"/i/{ID}/t/width=5/{SIGNATURE}.jpeg",
        f"/i/{ID}/t/width=5/{SIGNATURE}.jpg.jpg",
        f"/i/{ID}/t/width=5/{SIGNATURE}/{SIGNATURE}.jpg",
        f"/i/{ID}/t/width=5/{SIGNATURE}.jpg/",
        f"/i/{ID}/t/width=5/x/{SIGNATURE}.jpg",
        f"/i/{ID}/T/width=5/{SIGNATURE}.jpg",
        f"/i/{ID.upper()}/t/width=5/{SIGNATURE}.jpg",
        f"/i/{ID[:-1]}/t/width=5/{SIGNATURE}.jpg",
        f"/i/{ID}/t/width=\uff15/{SIGNATURE}.jpg",
        f"/i/{ID}/t/{'width=5,' * 9000}/{SIGNATURE}.jpg",
        f"//i/{ID}/t/width=5/{SIGNATURE}.jpg",
        f"/j/{ID}/t/width=5/{SIGNATURE}.jpg",
    ],
)
def test_what_is_no_address_of_a_transformation(path):
    assert split(path) is None


@given(st.text(max_size=200))
def test_no_text_is_too_much_for_the_splits(text):
    path = split(f"/i/{ID}/t/{text}")
    assert path is None or not verify(path, [b"x" * 32], WIDTHS)


def test_what_is_said_twice_is_said_not_at_all():
    assert SignedPath(ID, "kid=a,width=5", "", "jpg").said("kid") == "a"
    assert SignedPath(ID, "kid=a,kid=b", "", "jpg").said("kid") is None
    assert SignedPath(ID, "xkid=a", "", "jpg").said("kid") is None
