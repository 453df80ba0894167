"""The table of hostile requests, by groups, and the server they are sent to."""

from __future__ import annotations

from tests.hostile.body_cases import BODIES
from tests.hostile.case import JWT_SECRET, PASSWORD, TOKEN
from tests.hostile.credential_cases import CREDENTIALS
from tests.hostile.http_cases import HEADERS, HTTP
from tests.hostile.name_cases import NAMES, PATHS
from tests.hostile.packed_cases import COMPRESSION
from tests.hostile.slow_cases import SLOW

GROUPS = {
    "http": HTTP,
    "headers": HEADERS,
    "body": BODIES,
    "compression": COMPRESSION,
    "slow": SLOW,
    "credentials": CREDENTIALS,
    "paths": PATHS,
    "names": NAMES,
}
ACTIONS = """
    import asyncio, sys, time
    from rasa_sdk.events import SlotSet


    async def echo(dispatcher, tracker, domain):
        return [SlotSet("seen", len(tracker.current_state()["slots"]))]


    async def wait(dispatcher, tracker, domain):
        await asyncio.sleep(0.3)
        return []


    def large(dispatcher, tracker, domain):
        dispatcher.utter_message(text="a" * 200_000)
        return []


    def fail(dispatcher, tracker, domain):
        return [tracker.slots["secret"]["no"]]


    async def fail_loudly(dispatcher, tracker, domain):
        raise ValueError("a\\nforged line \\x1b[31m \\ud800")


    def odd(dispatcher, tracker, domain):
        return [SlotSet("odd", object)]


    def long(dispatcher, tracker, domain):
        time.sleep(0.6)
        return []


    def leave(dispatcher, tracker, domain):
        sys.exit(7)


    def recurse(dispatcher, tracker, domain):
        return recurse(dispatcher, tracker, domain)

    def register_actions(registry):
        registry.register_function("action_idle", lambda dispatcher, tracker, domain: [])
        for function in (echo, wait, large, fail, fail_loudly, odd, long, leave, recurse):
            registry.register_function("action_" + function.__name__, function)
"""
SETTINGS = f"""
action_server:
  auth:
    tokens: [{TOKEN}]
    basic: {{username: engine, password: {PASSWORD}}}
    jwt: {{algorithms: HS256, secret: {JWT_SECRET}}}
  actions:
    action_long: {{timeout: 0.2}}
"""
