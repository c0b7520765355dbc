"""When a rule with a schedule runs.

"Using cron and rate expressions to schedule rules in Amazon EventBridge": six fields, in UTC, to the minute; exactly
one of day-of-month and day-of-week is ``?``; the unit of a rate is singular for 1 and plural otherwise. Ranges may go
over the end of their field (``20-2``), as an example of the page of 2022 has it.
"""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

_UNITS = {"minute": 60, "hour": 3_600, "day": 86_400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
_FIRST_YEAR, _LAST_YEAR = 1970, 2199

_RATE = re.compile(r"rate\((\d+)\s+(minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\(([^()]+)\)")
_ITEM = re.compile(r"(?P<low>\*|\w+)(?:-(?P<high>\w+))?(?:/(?P<step>\d+))?")


class InvalidScheduleError(ValueError):
    """It is no schedule expression; the text of the error says why, which AWS does not tell."""


class Schedule(Protocol):
    """When something runs."""

    def next_after(self, moment: float, start: float) -> float | None:
        """The first time after ``moment``; None if there is none.

        Args:
            moment: Seconds since the epoch.
            start: When the schedule was made.
        """


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many seconds from the start on, first after one period."""

    period: float

    def next_after(self, moment: float, start: float) -> float | None:
        return start + self.period * max(math.floor((moment - start) / self.period) + 1, 1)


# The days of a month, by year and month.
_Days = Callable[[int, int], Iterable[int]]


@dataclass(frozen=True, slots=True)
class Cron:
    """At all combinations of the fields' values. ``days`` are those of all items of the one field for days."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[_Days, ...]
    months: tuple[int, ...]
    years: tuple[int, ...]

    def next_after(self, moment: float, start: float) -> float | None:
        first = datetime.fromtimestamp(math.floor(moment / 60) * 60, UTC) + timedelta(minutes=1)
        for year in self.years:
            for month in self.months:
                if (year, month) < (first.year, first.month):
                    continue
                for day in self._days_of(year, month):
                    at = self._in_day(date(year, month, day), first)
                    if at is not None:
                        return at.timestamp()
        return None

    def _days_of(self, year: int, month: int) -> list[int]:
        return sorted({day for days in self.days for day in days(year, month)})

    def _in_day(self, day: date, first: datetime) -> datetime | None:
        """The first time of a day, not before ``first``."""
        if day < first.date():
            return None
        earliest = (first.hour, first.minute) if day == first.date() else (0, 0)
        for hour in self.hours:
            for minute in self.minutes:
                if (hour, minute) >= earliest:
                    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
        return None


def parse_schedule(expression: str) -> Schedule:
    """A ScheduleExpression.

    Raises:
        InvalidScheduleError: It is none.
    """
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        value = int(rate[1])
        if value < 1 or (value == 1) is bool(rate[3]):
            raise InvalidScheduleError(f"{value} does not go with {rate[2]}{rate[3]}")
        return Rate(float(value * _UNITS[rate[2]]))
    cron = _CRON.fullmatch(expression)
    fields = cron[1].split() if cron is not None else []
    if len(fields) != 6:
        raise InvalidScheduleError("neither rate(VALUE UNIT) nor cron of six fields")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise InvalidScheduleError("one of day-of-month and day-of-week must be ?")
    return Cron(
        _values(minutes, 0, 59),
        _values(hours, 0, 23),
        _days_of_month(days) if weekdays == "?" else _days_of_week(weekdays),
        _values(months, 1, 12, _MONTHS),
        _values(years, _FIRST_YEAR, _LAST_YEAR),
    )


def scheduled_event(rule_arn: str, at: float, event_id: str) -> dict[str, Any]:
    """What a scheduled rule gives its targets."""
    _, _, _, region, account, _ = rule_arn.split(":", 5)
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule_arn],
        "detail": {},
    }


# -- fields --


def _values(field: str, least: int, most: int, names: dict[str, int] | None = None) -> tuple[int, ...]:
    """The values of a field without L, W and #."""
    found: set[int] = set()
    for text in field.split(","):
        item = _ITEM.fullmatch(text)
        if item is None or (item["low"] == "*" and item["high"]):
            raise InvalidScheduleError(f"{text!r} is no value")
        low = least if item["low"] == "*" else _number(item["low"], least, most, names)
        open_ended = item["low"] == "*" or item["step"]
        high = _number(item["high"], least, most, names) if item["high"] else most if open_ended else low
        step = int(item["step"] or 1)
        if not 1 <= step <= most:
            raise InvalidScheduleError(f"{text!r} has a step that is out of range")
        span = range(low, high + 1) if low <= high else [*range(low, most + 1), *range(least, high + 1)]
        found.update(span[::step])
    return tuple(sorted(found))


def _number(text: str, least: int, most: int, names: dict[str, int] | None = None) -> int:
    number = (names or {}).get(text.upper())
    if number is None and text.isdecimal():
        number = int(text)
    if number is None or not least <= number <= most:
        raise InvalidScheduleError(f"{text!r} is not from {least} to {most}")
    return number


def _days_of_month(field: str) -> tuple[_Days, ...]:
    return tuple(_day_of_month(text) for text in field.split(","))


def _day_of_month(text: str) -> _Days:
    if text == "L":
        return lambda year, month: [_length(year, month)]
    if text == "LW":
        return lambda year, month: [_nearest_weekday(year, month, _length(year, month))]
    if text.endswith("W"):
        day = _number(text[:-1], 1, 31)
        return lambda year, month: [_nearest_weekday(year, month, day)] if day <= _length(year, month) else []
    days = _values(text, 1, 31)
    return lambda year, month: [day for day in days if day <= _length(year, month)]


def _days_of_week(field: str) -> tuple[_Days, ...]:
    if "#" in field and "," in field:
        raise InvalidScheduleError("with # there can be one expression only")
    return tuple(_day_of_week(text) for text in field.split(","))


def _day_of_week(text: str) -> _Days:
    if "#" in text:
        name, _, count = text.partition("#")
        weekday, nth = _number(name, 1, 7, _WEEKDAYS), _number(count, 1, 5)
        return lambda year, month: _weekdays(year, month, {weekday})[nth - 1 : nth]
    if text != "L" and text.endswith("L"):
        weekday = _number(text[:-1], 1, 7, _WEEKDAYS)
        return lambda year, month: _weekdays(year, month, {weekday})[-1:]
    wanted = {7} if text == "L" else set(_values(text, 1, 7, _WEEKDAYS))
    return lambda year, month: _weekdays(year, month, wanted)


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _weekdays(year: int, month: int, wanted: set[int]) -> list[int]:
    """The days of a month that are one of some weekdays, where 1 is Sunday."""
    return [day for day in range(1, _length(year, month) + 1) if date(year, month, day).isoweekday() % 7 + 1 in wanted]


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The day from Monday to Friday of the same month that is nearest."""
    weekday = date(year, month, day).isoweekday()
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 7:
        return day + 1 if day < _length(year, month) else day - 2
    return day
