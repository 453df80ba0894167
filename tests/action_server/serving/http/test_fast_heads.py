"""Headers of usual requests are read once and remembered, with the same outcome."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from action_server.serving.http.usual_heads import Heads

names = st.sampled_from(["Via", "Content-Length", "content-length", "Connection", "X", "Expect", "A B", "", "TE"])
texts = st.sampled_from(
    ["x", "5", "Content-Length: 7", "close", "keep-alive", "", "\t", " 5", "5 ", "\u00e9", "-1", "a:b"]
)


@given(st.lists(st.lists(st.tuples(names, texts), max_size=5), min_size=1, max_size=4))
def test_a_head_that_is_known_is_read_as_one_that_is_new(heads: list[list[tuple[str, str]]]) -> None:
    """What was read before changes nothing."""
    known = Heads(1000)
    for head in heads:
        data = (
            "\r\n".join(["POST /webhook HTTP/1.1", "Host: x", *(f"{n}: {v}" for n, v in head)]).encode()
            + b"\r\n\r\nbody"
        )
        new = Heads(1000).read(data)

        assert known.read(data) == known.read(data) == new
        if new is not None:
            assert [v for n, v in head if n.lower() == "content-length"] == [str(new[2])]
            assert data[new[1] :] == b"body"


def test_not_every_head_is_remembered() -> None:
    """Those of callers with an id for each request fill no memory."""
    heads = Heads(1000)
    for number in range(2000):
        assert (
            heads.read(b"POST /webhook HTTP/1.1\r\nHost: x\r\nX: %d\r\nContent-Length: 5\r\n\r\n" % number) is not None
        )

    assert len(heads._known) <= 256
