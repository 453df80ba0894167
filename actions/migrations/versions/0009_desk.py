"""What people write into the table of bookings is kept as it is read, whatever program they use.

Revision: 0009

SQLite keeps any text as a time, and compares times as texts: one that is spelled in another way would be found by
nobody who asks for its hour. So triggers spell times and states as this program does, and refuse what cannot be meant.
Who moves the start of a booking alone, to after its end, has moved the booking. A migration that makes the table anew
has to make the triggers anew, too.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

_TIMES = ("start", "end", "changed", "confirmed_at", "moved_from")
_SPELLED = "????-??-?? ??:??:??.??????"
_STATES = "'pending', 'confirmed', 'cancelling', 'cancelled'"
_NO_STATE = f"bookings.state is one of {_STATES}".replace("'", "")
_NO_LENGTH = "bookings.end is not after bookings.start"


def upgrade() -> None:
    """Add the triggers; on SQLite, also spell what is there already, as far as it can be read."""
    if op.get_bind().dialect.name == "sqlite":
        _upgrade_sqlite()
    else:
        _upgrade_postgresql()


def _upgrade_sqlite() -> None:
    spelled = ", ".join([*(f'"{name}" = {_in_utc(name)}' for name in _TIMES), f"state = {_state('state')}"])
    op.execute(f"UPDATE OR IGNORE bookings SET {spelled} WHERE {_is_odd()}")  # noqa: S608 (names of ours)
    length = "strftime('%s', OLD.\"end\") - strftime('%s', OLD.start)"
    later = f"strftime('%Y-%m-%d %H:%M:%f', start, ({length}) || ' seconds') || '000'"
    move = f'UPDATE bookings SET "end" = {later} WHERE id = NEW.id AND "end" <= start AND NEW."end" IS OLD."end";'  # noqa: S608
    for event, keep_length in (("INSERT", ""), ("UPDATE", move)):
        op.execute(
            f"CREATE TRIGGER bookings_are_readable_after_{event.lower()} AFTER {event} ON bookings"  # noqa: S608
            f' WHEN {_is_odd("NEW.")} OR NEW."end" <= NEW.start BEGIN'
            f" UPDATE bookings SET {spelled} WHERE id = NEW.id; {keep_length}"
            f" SELECT RAISE(ABORT, '{_NO_STATE}') FROM bookings WHERE id = NEW.id AND state NOT IN ({_STATES});"
            f" SELECT RAISE(ABORT, '{_NO_LENGTH}') FROM bookings WHERE id = NEW.id AND \"end\" <= start; END"
        )


def _is_odd(row: str = "") -> str:
    """Return what is true of a row that is spelled in another way."""
    times = (f"{row}\"{name}\" NOT GLOB '{_SPELLED}'" for name in _TIMES)
    return " OR ".join([*times, f"{row}state NOT IN ({_STATES})"])


def _in_utc(name: str) -> str:
    """Return what spells a time in UTC; null if it has no date, or cannot be read."""
    return (
        f'CASE WHEN "{name}" GLOB \'{_SPELLED}\' THEN "{name}"'
        f" WHEN \"{name}\" GLOB '????-??-??*' THEN strftime('%Y-%m-%d %H:%M:%f', \"{name}\") || '000' END"
    )


def _state(name: str) -> str:
    """Return what spells a state; both ways to spell the last one are English."""
    return f"replace(lower(trim({name})), 'canceled', 'cancelled')"


def _upgrade_postgresql() -> None:
    op.execute(
        f"""
        CREATE FUNCTION bookings_are_readable() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.state := {_state("NEW.state")};
            IF NEW.state NOT IN ({_STATES}) THEN
                RAISE EXCEPTION '{_NO_STATE}' USING ERRCODE = 'check_violation';
            END IF;
            IF TG_OP = 'UPDATE' AND NEW."end" <= NEW.start AND NEW."end" = OLD."end" THEN
                NEW."end" := NEW.start + (OLD."end" - OLD.start);
            END IF;
            IF NEW."end" <= NEW.start THEN
                RAISE EXCEPTION '{_NO_LENGTH}' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER bookings_are_readable BEFORE INSERT OR UPDATE ON bookings"
        " FOR EACH ROW EXECUTE FUNCTION bookings_are_readable()"
    )
