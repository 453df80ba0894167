"""The requirements of the contract, each a sentence; docs/howto/test-your-actions.md has the same list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """What is required: ``id`` for scripts, ``sentence`` for people."""

    id: str
    sentence: str


@dataclass(frozen=True)
class Violation:
    """A requirement that is not kept. ``problem`` says how, and repeats no slot's value; ``action`` is "" for all."""

    requirement: Requirement
    problem: str
    action: str = ""


# Of each answer.
ANSWERS = Requirement(
    "answers", "An action called in the first turn of a conversation answers 200, or rejects with 400."
)
STRICT_JSON = Requirement("strict-json", "A reply is JSON by the standard: UTF-8, without NaN and Infinity.")
SHAPE = Requirement("shape", "A 200 is an object with the lists `events` and `responses`.")
EVENTS = Requirement("events", "Every event has a shape that an engine of that version accepts.")
SLOTS_KNOWN = Requirement("slots-known", "Every slot that is set is a slot of the domain.")
SLOTS_FIT = Requirement("slots-fit", "The value of a slot fits the type the domain gives it.")
RESPONSES_KNOWN = Requirement("responses-known", "Every response that is said by its name is one of the domain.")
FOLLOWUPS_KNOWN = Requirement("followups-known", "Every action that is to follow is one of the domain, or built in.")
SAME_OVER_FACES = Requirement(
    "same-over-faces", "An answer is the same over each face: HTTP, gRPC and, of an action that is a tool, MCP."
)
SAME_AGAIN = Requirement("same-again", "The repeat of an action that runs once gets the same answer.")
NOTHING_SECRET = Requirement("nothing-secret", "An error repeats nothing of the request, nor of the exception.")
REJECTION = Requirement("rejection", "A 400 has `action_name` and `error`, which engines read without looking.")

# Of a server at an address.
CONTENT_TYPE = Requirement("content-type", "A reply says that it is application/json.")
UNKNOWN_ACTION = Requirement("unknown-action", "An action that nobody registered is answered 404, with its name.")
NO_ACTION = Requirement(
    "no-action", "A request without an action is answered with an error, or over gRPC with nothing, not with a 200."
)
MALFORMED = Requirement("malformed", "A body that is not a call is answered 400 with `action_name`, and not 500.")
HEALTH = Requirement("health", "GET /health answers 200 without a credential: `rasa test e2e` asks for it first.")
LISTED = Requirement("listed", "GET /actions lists the actions by name.")
COMPRESSION = Requirement("compression", "A body that is deflated, as engines do it, gets the answer of the plain one.")
TWO_DOMAINS = Requirement("two-domains", "Two assistants with different domains do not evict each other.")
CONCURRENCY = Requirement("concurrency", "A call that takes long does not hold up /health.")
NOT_FOUND = Requirement("not-found", "A path that does not exist is answered 404, and not 500.")

OF_ANSWERS = (
    *(ANSWERS, STRICT_JSON, SHAPE, EVENTS, SLOTS_KNOWN, SLOTS_FIT, RESPONSES_KNOWN, FOLLOWUPS_KNOWN),
    *(SAME_OVER_FACES, SAME_AGAIN, NOTHING_SECRET, REJECTION),
)
OF_SERVERS = (
    *(CONTENT_TYPE, UNKNOWN_ACTION, NO_ACTION, MALFORMED, NOT_FOUND, HEALTH, LISTED, COMPRESSION, TWO_DOMAINS),
    CONCURRENCY,
)
ALL = (*OF_ANSWERS, *OF_SERVERS)
