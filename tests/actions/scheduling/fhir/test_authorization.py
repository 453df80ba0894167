"""How the FHIR calendar proves who asks: SMART Backend Services against a strict token endpoint, and bearer tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from actions.errors import AuthFailedError, InvalidRequestError, UnavailableError
from actions.scheduling.fhir import FhirCalendar, fhir_credentials
from actions.scheduling.fhir.authorization import token_endpoint
from actions.scheduling.fhir.settings import SCOPE
from actions.transport import Response, Transport, open_session
from tests.actions.scheduling.calendar_contract import TEN, TEN_TO_ELEVEN, entry_at
from tests.actions.scheduling.fhir.fhir_clinic import NAME, FhirSystem
from tests.actions.scheduling.fhir.fhir_keys import TOKEN, key_pair, known_clients, smart
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server_or_skip

DISCOVERY = "GET /.well-known/smart-configuration"


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with fhir_server_or_skip(auth=known_clients()) as running:
        yield running


@pytest.fixture
async def clinic(server: FhirServer) -> AsyncIterator[FhirSystem]:
    async with open_session() as session:
        yield FhirSystem(server, session, {"auth": smart()})


def tokens_fetched(clinic: FhirSystem) -> int:
    return clinic.server.requests().count("POST /token")


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
async def test_a_signed_assertion_gets_a_token_for_everything(algorithm: str, clinic: FhirSystem) -> None:
    """Where tokens are issued is asked once, and one token serves all requests, however many start at once."""
    calendar, entry = clinic.calendar(auth=smart(algorithm)), entry_at(TEN_TO_ELEVEN)

    await asyncio.gather(calendar.ping(), calendar.free([TEN]), calendar.find(entry))
    await calendar.write(entry)
    assert await calendar.find(entry)
    await calendar.remove(entry)

    assert clinic.server.requests().count(DISCOVERY) == 1
    assert tokens_fetched(clinic) == 1


async def test_a_token_url_that_is_set_is_not_asked_for(clinic: FhirSystem) -> None:
    """For servers that say nothing about it."""
    await clinic.calendar(auth=smart(token_url=clinic.server.token_url)).ping()

    assert DISCOVERY not in clinic.server.requests()


async def test_a_key_may_be_in_a_file(tmp_path: Path, clinic: FhirSystem) -> None:
    """It is read when it is needed; a file that is not there is named."""
    file = tmp_path / "key.pem"
    calendar = clinic.calendar(auth=smart(private_key=None, private_key_file=file))
    with pytest.raises(AuthFailedError, match=r"key\.pem cannot be read"):
        await calendar.ping()

    file.write_text(key_pair("RS384").private, encoding="ascii")
    await calendar.ping()


class Expiring(Transport):
    """Lets every token expire before each write."""

    server: FhirServer

    async def request(self, method: str, path: str, **more: Any) -> Response:
        if method != "GET":
            self.server.expire_tokens()
        return await super().request(method, path, **more)


async def test_tokens_that_expire_in_the_middle_are_renewed(clinic: FhirSystem) -> None:
    """The request that was refused is sent again with a new one; the entry is whole, and there is one of it."""
    settings, entry = clinic.settings(), entry_at(TEN_TO_ELEVEN)
    credentials = fhir_credentials(clinic.session, NAME, settings)
    transport = Expiring(clinic.session, NAME, settings.url, credentials=credentials)
    transport.server = clinic.server
    calendar = FhirCalendar(settings, transport)

    await calendar.write(entry)
    assert await calendar.find(entry)
    # The first one, one for each Slot, and one for the Appointment.
    assert tokens_fetched(clinic) == 4
    clinic.check()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"private_key": key_pair("RS384", 1).private}, "key is not the right one", id="another key"),
        pytest.param({"key_id": "rsa-2025"}, "key is not the right one", id="a key id that is not registered"),
        pytest.param({"client_id": "somebody"}, "the client is not known", id="an unknown client"),
        pytest.param({"scope": "system/*.cruds"}, "the client may not have it", id="a scope that was not granted"),
        pytest.param({"private_key": key_pair("ES384").private}, "that fits RS384", id="a key of the other kind"),
        pytest.param({"private_key": "none at all"}, "not a private key in PEM", id="no key"),
    ],
)
async def test_a_client_that_is_refused_is_told_why(change: dict[str, str], words: str, clinic: FhirSystem) -> None:
    """In words for operators, without the key or an assertion; nothing is asked of the server itself."""
    with pytest.raises(AuthFailedError, match=words) as caught:
        await clinic.calendar(auth=smart(**change)).write(entry_at())

    assert "PRIVATE" not in str(caught.value)
    assert "eyJ" not in str(caught.value)
    assert [one for one in clinic.server.requests() if one not in (DISCOVERY, "POST /token")] == []


@pytest.mark.parametrize(("wrong", "words"), [(600, "behind"), (-600, "ahead of")], ids=["fast", "slow"])
async def test_a_clock_that_is_wrong_is_named(
    wrong: int, words: str, clinic: FhirSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An assertion from the future, or one that is over, is refused: the key is not at fault."""
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + wrong)

    with pytest.raises(AuthFailedError, match=rf"its clock is \d+ s {words} this machine's"):
        await clinic.calendar().ping()


async def test_a_scope_that_only_reads_writes_nothing(clinic: FhirSystem) -> None:
    """The server says 403; reading goes on."""
    calendar = clinic.calendar(auth=smart(scope=SCOPE.replace("system/Slot.rus", "system/Slot.rs")))
    await calendar.ping()

    with pytest.raises(AuthFailedError, match="a permission or a scope is missing"):
        await calendar.write(entry_at())
    assert list(await calendar.free([TEN])) == [TEN]


async def test_a_scope_without_appointments_leaves_no_slot_behind(clinic: FhirSystem) -> None:
    """The Slots can be claimed, the Appointment cannot be made: the Slots are free again."""
    calendar = clinic.calendar(auth=smart(scope="system/Schedule.r system/Slot.rus system/Appointment.rs"))

    with pytest.raises(AuthFailedError):
        await calendar.write(entry_at(TEN_TO_ELEVEN))
    assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
    assert clinic.appointments() == []


async def test_a_token_endpoint_that_cannot_be_reached_is_said(clinic: FhirSystem) -> None:
    """Nothing has happened then."""
    with pytest.raises(UnavailableError, match="the token endpoint of the clinic's system cannot be reached"):
        await clinic.calendar(auth=smart(token_url="http://127.0.0.1:9/token"), transport={"attempts": 1}).ping()


async def test_a_server_without_smart_says_so() -> None:
    """Then the settings have to name the token endpoint."""
    with fhir_server_or_skip() as server:
        async with open_session() as session:
            calendar = FhirSystem(server, session, {"auth": smart()}).calendar()
            with pytest.raises(AuthFailedError, match=r"answered 404.*set token_url"):
                await calendar.ping()


@pytest.mark.parametrize(
    ("base_url", "configuration", "words"),
    [
        ("https://fhir.example.org", {"token_endpoint": "http://fhir.example.org/token"}, "without TLS"),
        ("https://fhir.example.org", {}, "names no token_endpoint"),
        ("https://fhir.example.org", {"token_endpoint": 7}, "names no token_endpoint"),
        ("https://fhir.example.org", {"token_endpoint": "/token"}, "names no token_endpoint"),
    ],
)
def test_a_bad_token_endpoint_is_not_used(base_url: str, configuration: dict[str, object], words: str) -> None:
    """An assertion is as good as a password for five minutes."""
    good = "https://login.example.org/oauth2/token"
    assert token_endpoint(base_url, {"token_endpoint": good}) == good

    with pytest.raises(InvalidRequestError, match=words):
        token_endpoint(base_url, configuration)


async def test_a_bearer_token_is_sent(clinic: FhirSystem) -> None:
    """One that is wrong is refused, and so is none."""
    await clinic.calendar(auth={"type": "bearer", "token": TOKEN}).ping()

    with pytest.raises(AuthFailedError, match="refused the credentials"):
        await clinic.calendar(auth={"type": "bearer", "token": "another"}).ping()
    with pytest.raises(AuthFailedError, match="refused the credentials"):
        await clinic.calendar(auth={"type": "none"}).ping()
