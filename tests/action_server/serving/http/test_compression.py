"""Bodies are inflated exactly, refused in words, and never beyond the limit."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_server.errors import BodyTooLargeError, EncodingError, RequestError
from action_server.serving.http.compression import inflate

PROPERTY = settings(deadline=None, max_examples=150)
PLAIN = b'{"next_action": "action_book", "tracker": {}}' * 20
LIMIT = 32 * 1024 * 1024


def wrapped_deflate(plain: bytes) -> bytes:
    return zlib.compress(plain)


def raw_deflate(plain: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(plain) + stream.flush()


def as_is(plain: bytes) -> bytes:
    return plain


PACKINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "deflate in a zlib wrapper": ("deflate", wrapped_deflate),
    "raw deflate": ("deflate", raw_deflate),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "upper case": ("GZIP", gzip.compress),
    "spaces around": (" deflate\t", wrapped_deflate),
    "identity": ("identity", as_is),
    "no encoding": ("", as_is),
}
PACKED = {name: PACKINGS[name] for name in ("deflate in a zlib wrapper", "raw deflate", "gzip")}
every_packing = pytest.mark.parametrize(("encoding", "pack"), PACKINGS.values(), ids=PACKINGS.keys())
every_real_packing = pytest.mark.parametrize(("encoding", "pack"), PACKED.values(), ids=PACKED.keys())


@every_packing
def test_a_body_comes_out_as_it_was(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """Every encoding an HTTP client may send is undone."""
    assert inflate(pack(PLAIN), encoding, LIMIT) == PLAIN


@every_real_packing
def test_an_empty_body_may_be_packed_too(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """Nothing, packed, is nothing again."""
    assert inflate(pack(b""), encoding, LIMIT) == b""


@PROPERTY
@given(plain=st.binary(max_size=2000), packing=st.sampled_from(list(PACKED.values())))
def test_any_body_comes_out_as_it_was(plain: bytes, packing: tuple[str, Callable[[bytes], bytes]]) -> None:
    """No bytes are lost, added or taken for another format."""
    encoding, pack = packing

    assert inflate(pack(plain), encoding, LIMIT) == plain


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "deflate, gzip", "gzip,gzip", "*", "gzip;q=1", "é"])
def test_an_encoding_we_do_not_speak_is_refused_as_such(encoding: str) -> None:
    """The client hears which encodings there are, and not the one it sent."""
    with pytest.raises(EncodingError, match="use deflate, gzip or none"):
        inflate(b"anything", encoding, LIMIT)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut by a byte": lambda body: body[:-1],
    "cut in half": lambda body: body[: len(body) // 2],
    "empty": lambda body: b"",
    "with a tail": lambda body: body + b"x",
    "sent twice": lambda body: body + body,
    "garbage": lambda body: b"\xff" * len(body),
    "not packed at all": lambda body: PLAIN,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@every_real_packing
def test_a_damaged_body_is_refused(
    encoding: str, pack: Callable[[bytes], bytes], damage: Callable[[bytes], bytes]
) -> None:
    """Half a tracker is not run, and the message names the encoding."""
    with pytest.raises(RequestError) as refused:
        inflate(damage(pack(PLAIN)), encoding, LIMIT)

    assert refused.value.message == f"the body is not valid {encoding} data"


@PROPERTY
@given(body=st.binary(max_size=300), encoding=st.sampled_from(["deflate", "gzip", "x-gzip"]))
def test_arbitrary_bytes_are_inflated_or_refused(body: bytes, encoding: str) -> None:
    """No bytes make it raise anything else."""
    with contextlib.suppress(RequestError):
        assert len(inflate(body, encoding, 100)) <= 100


@PROPERTY
@given(st.data())
def test_a_body_cut_anywhere_is_refused(data: st.DataObject) -> None:
    """There is no place where the beginning of a body passes for a whole one."""
    encoding, pack = data.draw(st.sampled_from(list(PACKED.values())))
    body = pack(PLAIN)
    end = data.draw(st.integers(0, len(body) - 1))

    with pytest.raises(RequestError):
        inflate(body[:end], encoding, LIMIT)


@every_real_packing
def test_a_body_of_exactly_the_limit_is_inflated(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """The limit itself is allowed."""
    assert inflate(pack(b"x" * 5000), encoding, 5000) == b"x" * 5000


@every_real_packing
def test_a_body_of_one_byte_more_is_too_large(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """The next byte is not, and the error knows the limit."""
    with pytest.raises(BodyTooLargeError) as refused:
        inflate(pack(b"x" * 5001), encoding, 5000)

    assert refused.value.limit == 5000


@every_real_packing
def test_a_bomb_is_refused_in_bounded_memory(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """58 KB that inflate to 60 MB are refused without ever holding much more than the limit."""
    bomb = pack(b"\0" * 60_000_000)
    assert len(bomb) < 60_000
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLargeError):
            inflate(bomb, encoding, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # zlib's buffer grows by doubling: the last one and its copy are what there is besides the limit.
    assert peak < 2.1 * LIMIT
