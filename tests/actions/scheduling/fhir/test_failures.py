"""A write that fails leaves nothing; one whose outcome is not known is settled by a repeat or a removal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from actions.errors import (
    AuthFailedError,
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    SlotTakenError,
    UnavailableError,
)
from actions.transport import open_session
from tests.actions.scheduling.calendar_contract import TEN, TEN_TO_ELEVEN, entry_at
from tests.actions.scheduling.fhir.fhir_clinic import FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server_or_skip

ONE_TRY = {"attempts": 1}
# Each write of an entry of an hour: what fits its request, and how many that fit come before it.
WRITES = [
    pytest.param("PUT", "^/Slot/", 0, id="first Slot"),
    pytest.param("PUT", "^/Slot/", 1, id="second Slot"),
    pytest.param("POST", "^/Appointment", 0, id="Appointment"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with fhir_server_or_skip() as running:
        yield running


@pytest.fixture
async def clinic(server: FhirServer) -> AsyncIterator[FhirSystem]:
    async with open_session() as session:
        yield FhirSystem(server, session, {"transport": ONE_TRY})


def outcome(code: str, **more: object) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code, **more}]}


@pytest.mark.parametrize(("method", "path", "skip"), WRITES)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequestError),
        (403, AuthFailedError),
        (422, InvalidRequestError),
        (429, RateLimitedError),
    ],
)
async def test_a_refused_write_leaves_nothing(
    method: str, path: str, skip: int, status: int, error: type[BackendError], clinic: FhirSystem
) -> None:
    """Slots that were claimed by then are free again; the error is the one of the request that failed."""
    clinic.server.fail(method, path, skip=skip, status=status, body=outcome("business-rule"))
    calendar, entry = clinic.calendar(), entry_at(TEN_TO_ELEVEN)

    with pytest.raises(error):
        await calendar.write(entry)

    assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
    assert clinic.appointments() == []


@pytest.mark.parametrize("status", [409, 412])
@pytest.mark.parametrize(("method", "path", "skip"), WRITES)
async def test_a_conflict_is_looked_at(method: str, path: str, skip: int, status: int, clinic: FhirSystem) -> None:
    """A Slot that is still free is claimed again; an Appointment the server has no room for means taken."""
    clinic.server.fail(method, path, skip=skip, status=status, body=outcome("conflict"))
    calendar, entry = clinic.calendar(), entry_at(TEN_TO_ELEVEN)

    if method == "PUT":
        await calendar.write(entry)
        assert await calendar.find(entry)
    else:
        with pytest.raises(SlotTakenError):
            await calendar.write(entry)
        assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
    clinic.check()


@pytest.mark.parametrize("done", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize("settle", ["repeat", "remove"])
@pytest.mark.parametrize(("method", "path", "skip"), WRITES)
async def test_an_unknown_outcome_can_be_settled(
    method: str, path: str, skip: int, settle: str, done: bool, clinic: FhirSystem
) -> None:
    """Repeated, there is one entry; removed, there is none: whether the lost request was carried out or not."""
    clinic.server.fail(method, path, skip=skip, done=done)
    calendar, entry = clinic.calendar(), entry_at(TEN_TO_ELEVEN)
    with pytest.raises(OutcomeUnknownError):
        await calendar.write(entry)
    assert await calendar.find(entry) == (done and method == "POST")

    if settle == "repeat":
        await calendar.write(entry)
        assert await calendar.find(entry)
        assert len(clinic.appointments()) == 1
    else:
        await calendar.remove(entry)
        assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
    clinic.check()


@pytest.mark.parametrize("done", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize(("method", "path", "skip"), WRITES)
async def test_a_lost_write_is_sent_again(method: str, path: str, skip: int, done: bool, clinic: FhirSystem) -> None:
    """If it had been carried out, the second one is refused, and what is there is recognised."""
    clinic.server.fail(method, path, skip=skip, done=done)
    calendar, entry = clinic.calendar(transport={"attempts": 2}), entry_at(TEN_TO_ELEVEN)

    await calendar.write(entry)

    assert await calendar.find(entry)
    assert len(clinic.appointments()) == 1
    clinic.check()


async def test_a_refusal_after_a_lost_answer_is_no_promise(clinic: FhirSystem) -> None:
    """The first of the two may have been carried out: here it was."""
    lost = {"method": "PUT", "path": "^/Slot", "done": True}
    clinic.server.fail_all([lost, {"method": "PUT", "path": "^/Slot", "status": 422}])
    calendar, entry = clinic.calendar(transport={"attempts": 2}), entry_at()

    with pytest.raises(OutcomeUnknownError, match="an earlier try may have been carried out"):
        await calendar.write(entry)
    assert await clinic.holders(TEN) == {entry.uid}


async def test_a_server_error_leaves_the_outcome_unknown(clinic: FhirSystem) -> None:
    """A 500 says nothing about what was done."""
    clinic.server.fail("POST", "^/Appointment", status=500, done=True)
    calendar, entry = clinic.calendar(), entry_at()

    with pytest.raises(OutcomeUnknownError):
        await calendar.write(entry)
    assert await calendar.find(entry)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param({"status": 410}, id="deleted"),
        pytest.param({"status": 200, "body": {"resourceType": "Slot", "id": "one"}}, id="without a time"),
    ],
)
async def test_a_slot_that_is_gone_before_it_is_claimed_is_taken(now: dict[str, object], clinic: FhirSystem) -> None:
    """People changed the day while somebody was booking."""
    refused = {"method": "PUT", "path": "^/Slot", "status": 412}
    clinic.server.fail_all([refused, {"method": "GET", "path": "^/Slot/", **now}])

    with pytest.raises(SlotTakenError):
        await clinic.calendar().write(entry_at())
    assert clinic.appointments() == []


async def test_what_others_keep_changing_is_given_up(clinic: FhirSystem) -> None:
    """A claim, and a removal, are tried five times; nothing has happened then."""
    calendar, entry = clinic.calendar(), entry_at()
    clinic.server.fail_all([{"method": "PUT", "path": "^/Slot", "status": 412}] * 5)
    with pytest.raises(UnavailableError, match="it was not booked"):
        await calendar.write(entry)
    assert await clinic.holders(TEN) == set()

    await calendar.write(entry)
    clinic.server.fail_all([{"method": "PUT", "path": "^/Slot", "status": 412}] * 5)
    with pytest.raises(UnavailableError, match="it was not removed"):
        await calendar.remove(entry)
    await calendar.remove(entry)
    clinic.check()


async def test_a_slot_that_comes_back_without_a_time_leaves_the_outcome_unknown(clinic: FhirSystem) -> None:
    """It may have been claimed: here it was."""
    clinic.server.fail("PUT", "^/Slot", done=True, status=200, body={"resourceType": "Slot", "id": "one"})
    entry = entry_at()

    with pytest.raises(OutcomeUnknownError):
        await clinic.calendar().write(entry)
    assert await clinic.holders(TEN) == {entry.uid}


async def test_a_taken_time_that_cannot_be_looked_into_is_unavailable(clinic: FhirSystem) -> None:
    """Nothing was written, so nothing is left."""
    await clinic.occupy(TEN)
    clinic.server.fail("GET", "^/Appointment", status=500)

    with pytest.raises(UnavailableError):
        await clinic.calendar().write(entry_at())


async def test_a_schedule_that_was_deleted_is_said(clinic: FhirSystem) -> None:
    """Before anything is written."""
    clinic.server.fail("GET", "^/Schedule", status=404)

    with pytest.raises(InvalidRequestError, match="has no Schedule/practice, the one of 'practice'"):
        await clinic.calendar().write(entry_at())


async def test_what_cannot_be_cleaned_up_is_said(clinic: FhirSystem) -> None:
    """The caller must not believe that nothing was left; the removal does it later."""
    refused = {"method": "POST", "path": "^/Appointment", "status": 422, "body": outcome("business-rule")}
    clinic.server.fail_all([refused, {"method": "PUT", "path": "^/Slot", "skip": 2, "status": 403}])
    calendar, entry = clinic.calendar(), entry_at(TEN_TO_ELEVEN)

    with pytest.raises(OutcomeUnknownError, match="could not be finished nor removed"):
        await calendar.write(entry)

    assert await clinic.holders(TEN_TO_ELEVEN) == {entry.uid}
    await calendar.remove(entry)
    assert await clinic.holders(TEN_TO_ELEVEN) == set()


async def test_a_loss_that_cannot_be_looked_into_is_unknown(clinic: FhirSystem) -> None:
    """The second Slot was taken, and the server went away before the first one was given back."""
    half, hour = entry_at(TEN), entry_at(TEN_TO_ELEVEN)
    await clinic.leave_half(hour)
    second = clinic.slots(TEN_TO_ELEVEN)[1]
    clinic.claim(half, second)
    clinic.server.fail("GET", "^/Appointment", status=500)

    with pytest.raises(OutcomeUnknownError):
        await clinic.calendar().write(hour)
    await clinic.calendar().remove(hour)
    assert await clinic.holders(TEN_TO_ELEVEN) == {half.uid}


@pytest.mark.parametrize("repeated", [False, True], ids=["a new entry", "a repeat"])
async def test_a_failure_does_not_undo_what_is_whole(repeated: bool, clinic: FhirSystem) -> None:
    """The last look at the Slots fails: the entry is there, now or since an earlier write."""
    calendar, entry = clinic.calendar(), entry_at(TEN_TO_ELEVEN)
    if repeated:
        await calendar.write(entry)
    clinic.server.fail("GET", "^/Slot/", status=500)

    await calendar.write(entry)

    assert await calendar.find(entry)
    clinic.check()


@pytest.mark.parametrize("path", ["^/Slot", "^/Schedule"])
async def test_a_server_that_cannot_be_read_is_not_written_to(path: str, clinic: FhirSystem) -> None:
    """Nothing has happened then, and the caller is told so."""
    clinic.server.fail("GET", path, status=500)

    with pytest.raises(UnavailableError):
        await clinic.calendar().write(entry_at())
    assert [one for one in clinic.server.requests() if not one.startswith("GET")] == []


async def test_an_error_names_codes_and_never_what_the_server_wrote(clinic: FhirSystem) -> None:
    """An OperationOutcome's words may hold the patient; its codes and elements do not."""
    words = {"diagnostics": "Erika Geheim has one already", "details": {"text": "no second one for Erika Geheim"}}
    body = outcome("business-rule", expression=["Appointment.slot[0]"], **words)
    body["issue"].append({"severity": "error", "code": "Erika Geheim", "diagnostics": "Erika Geheim"})
    body["issue"].append({"severity": "error", "code": "invalid", "expression": ["name = 'Erika Geheim'"]})
    clinic.server.fail("POST", "^/Appointment", status=422, body=body)

    with pytest.raises(InvalidRequestError) as caught:
        await clinic.calendar().write(entry_at())

    assert str(caught.value) == (
        "the clinic's system answered 422 to POST Appointment: business-rule at Appointment.slot[0], invalid"
    )


@pytest.mark.parametrize(("method", "path"), [("PUT", "^/Slot"), ("POST", "^/Appointment")])
async def test_a_server_that_does_not_say_what_it_stored_is_asked(method: str, path: str, clinic: FhirSystem) -> None:
    """An answer may be empty: https://hl7.org/fhir/R4/http.html#ops."""
    clinic.server.fail(method, path, done=True, status=200)
    calendar, entry = clinic.calendar(), entry_at()

    await calendar.write(entry)

    assert await calendar.find(entry)
    clinic.check()


@pytest.mark.parametrize(
    ("method", "path", "read"), [("PUT", "^/Slot", "^/Slot/"), ("POST", "^/Appointment", "^/App.*identifier")]
)
async def test_a_write_that_cannot_be_read_again_is_unknown(
    method: str, path: str, read: str, clinic: FhirSystem
) -> None:
    """A failed read promises that nothing happened; here something has."""
    clinic.server.fail_all(
        [
            {"method": method, "path": path, "done": True, "status": 200},
            {"method": "GET", "path": read, "status": 500},
        ]
    )
    entry = entry_at()

    with pytest.raises(OutcomeUnknownError, match="could not be read again"):
        await clinic.calendar().write(entry)
    await clinic.calendar().write(entry)
    clinic.check()


async def test_a_server_that_drops_identifiers_of_slots_is_not_used(clinic: FhirSystem) -> None:
    """A claim that nobody can recognise would hang for ever; it is given back at once."""
    (slot,) = clinic.slots(TEN)
    clinic.server.put({**slot, "meta": {}})
    stored = {**slot, "status": "busy"}
    clinic.server.fail("PUT", "^/Slot", status=200, body=stored)

    with pytest.raises(InvalidRequestError, match="does not keep the identifier of a Slot"):
        await clinic.calendar().write(entry_at())
    assert await clinic.holders(TEN) == set()


async def test_a_server_without_versions_is_not_used(clinic: FhirSystem) -> None:
    """Without a version a claim would overwrite another one."""
    (slot,) = clinic.slots(TEN)
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {**slot, "meta": {}}}]}
    clinic.server.fail("GET", "^/Slot", status=200, body=bundle)

    with pytest.raises(InvalidRequestError, match="gives Slot resources no version"):
        await clinic.calendar().write(entry_at())
    assert [one for one in clinic.server.requests() if one.startswith("PUT")] == []


async def test_a_server_that_ignores_if_none_exist_gets_no_second_appointment(clinic: FhirSystem) -> None:
    """A repeat recognises its own Slots, and looks before it creates."""
    calendar, entry = clinic.calendar(), entry_at()
    clinic.server.fail("POST", "^/Appointment", drop="if-none-exist", skip=1)
    await calendar.write(entry)
    await calendar.write(entry)

    assert len(clinic.appointments()) == 1


async def test_two_appointments_of_one_uid_are_both_cancelled(clinic: FhirSystem) -> None:
    """Such servers exist; a repeat is content with one that is there, and a removal leaves none."""
    calendar, entry = clinic.calendar(), entry_at()
    await calendar.write(entry)
    (written,) = clinic.appointments()
    clinic.server.put({**written, "id": "second"})
    await calendar.write(entry)
    assert await calendar.find(entry)

    await calendar.remove(entry)

    assert [one["status"] for one in clinic.appointments()] == ["cancelled"] * 2
    assert list(await calendar.free([TEN])) == [TEN]


async def test_a_removal_whose_answer_was_lost_is_repeated(clinic: FhirSystem) -> None:
    """Each time until nothing is left."""
    calendar, entry = clinic.calendar(), entry_at(TEN_TO_ELEVEN)
    await calendar.write(entry)
    lost = [{"method": "PUT", "path": path, "done": True} for path in ("^/Appointment", "^/Slot", "^/Slot")]
    clinic.server.fail_all(lost)

    for _ in lost:
        with pytest.raises(OutcomeUnknownError):
            await calendar.remove(entry)
    await calendar.remove(entry)

    assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
    clinic.check()
