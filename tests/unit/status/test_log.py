# SPDX-License-Identifier: Apache-2.0
"""The end of the log in memory: bounded, and told from where one left off."""

import logging

from appliance.status.log import KEPT, LONGEST, LogRing


def record(text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("appliance.run", logging.WARNING, "", 0, text, arguments, None)


def test_only_the_newest_lines_are_kept_and_cut() -> None:
    ring = LogRing()
    for number in range(KEPT + 5):
        ring.emit(record("line %d " + "x" * 2 * LONGEST, number))
    lines = ring.since().lines
    assert (len(lines), lines[0].number, lines[-1].number) == (KEPT, 6, KEPT + 5)
    assert max(len(line.text) for line in lines) == LONGEST
    assert (lines[0].level, lines[0].logger) == ("warning", "run")


def test_what_is_new_is_told_once() -> None:
    ring = LogRing()
    ring.emit(record("first"))
    run = ring.since().run
    ring.emit(record("second"))
    assert [line.text for line in ring.since(run, 1).lines] == ["second"]
    assert ring.since(run, 2).lines == ()


def test_another_run_is_told_from_its_beginning() -> None:
    ring = LogRing()
    ring.emit(record("first"))
    assert [line.text for line in ring.since("another", 40).lines] == ["first"]


def test_a_record_that_makes_no_sense_is_kept_as_it_is() -> None:
    ring = LogRing()
    ring.emit(record("%d of %s", "no number"))
    assert ring.since().lines[0].text == "%d of %s"
