"""How deep objects and lists are nested is measured on the bytes, before anything is decoded."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_server.errors import RequestError
from action_server.protocol import calls


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("body", "deeper"),
    [
        (nested(8), False),
        (nested(9), True),
        (b'{"a":' * 9 + b"1" + b"}" * 9, True),
        (json.dumps([["[[[[[[[[[[", '\\" [[[[[[[[[[', "\\\\"]] * 5).encode(), False),
        (json.dumps([[], {}] * 1000).encode(), False),
        (b"[" * 9, True),
        (b"]" * 100 + b"[" * 8, False),
    ],
    ids=["at the limit", "one over", "objects", "brackets in texts", "many beside each other", "open", "only closed"],
)
def test_depth_is_limited_before_anything_is_decoded(body: bytes, deeper: bool) -> None:
    """Brackets in texts do not count; what does not match is left to the decoder."""
    with pytest.raises(RequestError) as refused:
        calls.decode_call(body, max_depth=8)

    assert ("raise --max-json-depth" in str(refused.value)) is deeper


nests = st.recursive(
    st.text(max_size=5),
    lambda i: st.lists(i, max_size=3) | st.dictionaries(st.text(max_size=3), i, max_size=3),
    max_leaves=40,
)


@given(nests, st.integers(1, 12))
def test_the_depth_that_is_measured_is_the_real_one(value: object, limit: int) -> None:
    """Whatever the texts hold, escapes and brackets included; lists and objects in any mixture."""

    def depth(of: object) -> int:
        inner = of.values() if isinstance(of, dict) else of if isinstance(of, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    assert calls.is_deeper(json.dumps(value).encode(), limit) is (depth(value) > limit)
