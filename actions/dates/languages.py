"""German, French and Spanish wishes turned into the English ones that the other modules read.

Word by word, and no more than that: what is left untranslated makes the English rules, which match whole texts only,
refuse the wish. So a false friend ("guten Morgen" becomes "guten tomorrow") is nothing, not a guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from actions.dates.words import MONTHS, NUMBERS, WEEKDAYS

_Replacement = str | Callable[[re.Match[str]], str]
_ANY_WEEKDAY = rf"({'|'.join(WEEKDAYS)})"
_ANY_MONTH = rf"({'|'.join(MONTHS)})"
_ANY_NUMBER = rf"({'|'.join(NUMBERS)}|\d{{1,2}})"


@dataclass(frozen=True)
class _Language:
    """Its phrases are tried in order, before and after its words."""

    phrases: Sequence[tuple[str, _Replacement]]
    words: Mapping[str, str]
    after: Sequence[tuple[str, _Replacement]]


def translate(text: str, language: str) -> str | None:
    """Return the wish, which is in lower case, in English as far as it can be told; None for an unknown language."""
    table = _LANGUAGES.get(language)
    if table is None:
        return None
    text = _without_accents(text)
    for pattern, replacement in table.phrases:
        text = re.sub(pattern, replacement, text)
    text = re.sub(r"[a-z]+(?:['-][a-z]+)*", lambda match: table.words.get(match[0], match[0]), text)
    for pattern, replacement in table.after:
        text = re.sub(pattern, replacement, text)
    return " ".join(text.split())


def _without_accents(text: str) -> str:
    # Many people do not type them: "ubermorgen", "proximo", "fevrier".
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _half_before(match: re.Match[str]) -> str:
    """Turn "halb zehn" into half past nine."""
    word = match[1]
    hour = NUMBERS.index(word) + 1 if word in NUMBERS else int(word)
    return f"half past {(hour - 2) % 12 + 1}"


def _names(weekdays: str, months: str, numbers: str) -> dict[str, str]:
    """Return the words for weekdays, months and numbers from one to twelve; other forms stand behind a slash."""
    table: dict[str, str] = {}
    for foreign, english in ((weekdays, WEEKDAYS), (months, MONTHS), (numbers, NUMBERS)):
        for forms, name in zip(foreign.split(), english, strict=True):
            table |= dict.fromkeys(forms.split("/"), name)
    return table


def _words(pairs: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in pairs.split(", "))


_CLOCK_24 = ((r"\b(\d{1,2}) ?(?:uhr|h|heures?|horas?) ?(\d\d)\b", r"\1:\2"),)

_GERMAN = _Language(
    phrases=(
        *_CLOCK_24,
        (r"(?<=tag|och|end)(vormittag|nachmittag|abend|morgen)\b", r" \1"),
        (r"\b(\d{1,2})[.:](\d\d) ?uhr\b", r"\1:\2"),
        (r"\b(\d{1,2}) ?uhr\b", r"\1 o'clock"),
        (r"\bviertel nach\b", "quarter past"),
        (r"\bviertel vor\b", "quarter to"),
        (r"\b(?:so (?:bald|frueh|fruh|schnell) wie moglich|schnellstmoglich|baldmoglichst|moglichst bald)\b", "asap"),
        (r"\b(?:ue|u)bernachste woche\b", "the week after next"),
        (r"\b(?:nachste|kommende)[nrs]? woche\b", "next week"),
        (r"\bdiese[rs]? woche\b", "this week"),
        (r"\b(?:nachste|kommende)[ns]? monat\b", "next month"),
        (r"\bdiese[ns] monat\b", "this month"),
        (r"\bam (vormittag|morgen|fruehen morgen)\b", "in the morning"),
        (r"\bam (?:spaten )?nachmittag\b", "in the afternoon"),
        (r"\bam abend\b", "in the evening"),
        (r"\bmorgen fr(?:ue|u)h\b", "tomorrow morning"),
    ),
    words={
        **_names(
            "montag dienstag mittwoch donnerstag freitag samstag/sonnabend sonntag",
            "januar/janner februar/feber marz/maerz april mai juni juli august september oktober november dezember",
            "ein/eine/einem/einer/eins zwei drei vier funf/fuenf sechs sieben acht neun zehn elf zwolf/zwoelf",
        ),
        **_words(
            "heute=today, gestern=yesterday, vorgestern=day before yesterday, "
            "ubermorgen=day after tomorrow, uebermorgen=day after tomorrow, um=at, gegen=around, "
            "vormittag=morning, vormittags=morning, morgens=morning, fruh=morning, "
            "nachmittag=afternoon, nachmittags=afternoon, abend=evening, abends=evening"
        ),
        **_words("mittags=lunchtime, zwischen=between, und=and, nach=after, ab=after, vor=before"),
        **_words(
            "tag=day, tagen=days, woche=week, wochen=weeks, monat=month, monaten=months, "
            "bitte=please, im=in, der=the, den=the, dem=the, vielleicht=maybe"
        ),
    },
    after=(
        (rf"\bhalb {_ANY_NUMBER}\b(?: o'clock)?", _half_before),
        (rf"\b(?:nachste|kommende)[nrs]? {_ANY_WEEKDAY}\b", r"next \1"),
        (rf"\bdiese[nrs]? {_ANY_WEEKDAY}\b", r"this \1"),
        (rf"\b{_ANY_WEEKDAY} ?morgen\b", r"\1 morning"),
        (rf"\bam (?={_ANY_WEEKDAY}|\d)", "on "),
        (r"\bmorgen\b", "tomorrow"),
    ),
)
_FRENCH = _Language(
    phrases=(
        (r"\b(\d{1,2}) ?(?:h|heures?) et demie\b", r"\1:30"),
        (r"\b(\d{1,2}) ?(?:h|heures?) et quart\b", r"\1:15"),
        *_CLOCK_24,
        (r"\b(\d{1,2}) ?(?:h|heures?)\b", r"\1 o'clock"),
        (r"\b(?:des que possible|au plus vite|(?:le )?plus tot possible)\b", "asap"),
        (r"\b(?:la )?semaine prochaine\b", "next week"),
        (r"\bcette semaine\b", "this week"),
        (r"\b(?:le )?mois prochain\b", "next month"),
        (r"\bce mois(?:-ci)?\b", "this month"),
        (r"\ba partir de\b", "from"),
        (r"\bavant-hier\b", "day before yesterday"),
        (r"\bapres-demain\b", "day after tomorrow"),
        (r"\bce matin\b", "this morning"),
        (r"\bcet apres-midi\b", "this afternoon"),
        (r"\bce soir\b", "this evening"),
        (r"\b(?:du |le |au |dans la )?matin(?:ee)?\b", "in the morning"),
        (r"\b(?:de l'|l'|dans l')?apres-midi\b", "in the afternoon"),
        (r"\b(?:du |le |en |dans la )?soir(?:ee)?\b", "in the evening"),
        (r"\b1er\b", "1"),
    ),
    words={
        **_names(
            "lundi mardi mercredi jeudi vendredi samedi dimanche",
            "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
            "un/une deux trois quatre cinq six sept huit neuf dix onze douze",
        ),
        **_words(
            "aujourd'hui=today, hier=yesterday, demain=tomorrow, midi=noon, dans=in, en=in, a=at, "
            "vers=around, entre=between, et=and, apres=after, avant=before, jour=day, jours=days, "
            "semaine=week, semaines=weeks, mois=months"
        ),
    },
    after=(
        (rf"\b(?:le )?{_ANY_WEEKDAY} (?:de )?next week\b", r"\1 next week"),
        (rf"\b(?:le )?(?:prochain )?{_ANY_WEEKDAY} prochain\b", r"next \1"),
        (rf"\b(?:le )?prochain {_ANY_WEEKDAY}\b", r"next \1"),
        (rf"\bce {_ANY_WEEKDAY}\b", r"this \1"),
        (rf"\ble (?={_ANY_WEEKDAY}|\d)", ""),
        (r"\bin one months\b", "in one month"),
    ),
)
_SPANISH = _Language(
    phrases=(
        *_CLOCK_24,
        (r"\b(\d{1,2}) ?(?:h|horas?)\b", r"\1 o'clock"),
        (r"\b(?:lo antes posible|cuanto antes)\b", "asap"),
        (r"\b(?:la )?(?:proxima semana|semana que viene|semana proxima)\b", "next week"),
        (r"\besta semana\b", "this week"),
        (r"\b(?:el )?(?:proximo mes|mes que viene)\b", "next month"),
        (r"\beste mes\b", "this month"),
        (r"\bpasado manana\b", "day after tomorrow"),
        (r"\besta manana\b", "this morning"),
        (r"\besta tarde\b", "this afternoon"),
        (r"\besta noche\b", "this evening"),
        (r"\b(?:por|de|en) la manana\b", "in the morning"),
        (r"\b(?:por|de|en) la tarde\b", "in the afternoon"),
        (r"\b(?:por|de|en) la noche\b", "in the evening"),
        (r"\bal? mediodia\b", "at noon"),
        (r"\ba las? (\w+) y media\b", r"at half past \1"),
        (r"\ba las? (\w+) y cuarto\b", r"at quarter past \1"),
        (r"\ba las? (\w+) menos cuarto\b", r"at quarter to \1"),
        (r"\ba las?\b", "at"),
        (r"\bdentro de\b", "in"),
        (r"\bentre las?\b", "between"),
        (r"\by las?\b", "and"),
        (r"\b(despues|antes) de las?\b", r"\1"),
    ),
    words={
        **_names(
            "lunes martes miercoles jueves viernes sabado domingo",
            "enero febrero marzo abril mayo junio julio agosto septiembre/setiembre octubre noviembre diciembre",
            "un/una/uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
        ),
        **_words(
            "hoy=today, ayer=yesterday, anteayer=day before yesterday, manana=tomorrow, en=in, "
            "dia=day, dias=days, semana=week, semanas=weeks, mes=month, meses=months, "
            "despues=after, antes=before"
        ),
    },
    after=(
        (rf"\b(?:el )?{_ANY_WEEKDAY} (?:de )?next week\b", r"\1 next week"),
        (rf"\b(?:el )?{_ANY_WEEKDAY} (?:que viene|proximo)\b", r"next \1"),
        (rf"\b(?:el )?proximo {_ANY_WEEKDAY}\b", r"next \1"),
        (rf"\beste {_ANY_WEEKDAY}\b", r"this \1"),
        (rf"\bel (?={_ANY_WEEKDAY}|\d)", ""),
        (rf"\b(\d{{1,2}}) de {_ANY_MONTH}", r"\1 \2"),
        (rf"\b{_ANY_MONTH} del? (\d{{4}})\b", r"\1 \2"),
    ),
)
_LANGUAGES = {"de": _GERMAN, "fr": _FRENCH, "es": _SPANISH}
