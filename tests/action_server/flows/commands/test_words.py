"""Words are alike but for their endings and slips of the fingers."""

from __future__ import annotations

import pytest

from action_server.flows.commands.words import alike, contains_phrase, content_words, stem, synonyms_of, words


def test_words_are_in_lower_case_and_keep_their_apostrophes() -> None:
    """Straight, however they were typed."""
    assert words("I\u2019d LIKE one_two, please!") == ["i'd", "like", "one", "two", "please"]


def test_words_that_tell_nothing_are_left_out() -> None:
    """What is left says what a text is about."""
    assert content_words("I would like to book an appointment") == ["book", "appointment"]


@pytest.mark.parametrize(
    ("word", "expected"), [("urgently", "urgent"), ("bookings", "book"), ("is", "is"), ("bees", "bee")]
)
def test_a_stem_is_a_word_without_its_ending(word: str, expected: str) -> None:
    """Short words are left as they are."""
    assert stem(word) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("book", "booking", True),
        ("appointment", "apointment", True),
        ("no", "on", False),
        ("general", "urgent", False),
        ("transfer", "transfers", True),
    ],
)
def test_words_that_are_one(first: str, second: str, expected: bool) -> None:
    """Short ones are only themselves."""
    assert alike(first, second) is expected


def test_a_phrase_stands_in_a_text_in_its_order() -> None:
    """Next to each other; no phrase at all stands nowhere."""
    assert contains_phrase(["general", "practice"], words("a general practise"))
    assert not contains_phrase(["practice", "general"], words("a general practice"))
    assert not contains_phrase([], words("a"))


def test_there_is_more_than_one_word_for_what_people_do() -> None:
    """Either way round; most words stand alone."""
    assert "transfer" in synonyms_of("send")
    assert "send" in synonyms_of("transfer")
    assert synonyms_of("teapot") == ()
