"""Participants tables as people save them, one per pain: all that say the same, and all that cannot be read.

`SAME` are ways to write one table, `REFUSED` are tables that can be read in two ways or not at all, `DOUBTFUL` tables
that can be read but may mean something else, each with what the user must see.
"""

from dataclasses import dataclass
from typing import Any

import yaml

IDS = ("01", "02", "03", "04")
SCANNED = tuple(f"sub-{name}" for name in IDS)
HEADER = ("participant_id", "age", "sex", "group", "centre", "BDI")
ROWS = (
    ("sub-01", "30", "F", "control", "Köln", "n/a"),
    ("sub-02", "41.5", "M", "control", "Köln", "2"),
    ("sub-03", "n/a", "F", "patient", "Łódź", "31"),
    ("sub-04", "25", "n/a", "patient", "Köln", "18.5"),
)
TRUTH: dict[str, list[Any]] = {
    "participant_id": list(SCANNED),
    "group": ["control", "control", "patient", "patient"],
    "sex": ["F", "M", "F", None],
    "age_years": [30.0, 41.5, None, 25.0],
    "site": ["Köln", "Köln", "Łódź", "Köln"],
    "severity_BDI": [None, 2.0, 31.0, 18.5],
}
SETTINGS: dict[str, Any] = yaml.safe_load(
    """
    columns: {group: group, sex: sex, age: age, site: centre}
    group_levels: {control: [hc, healthy control], patient: [mdd, depressed]}
    sex_levels: {F: [f, female, weiblich], M: [m, male, "männlich"]}
    severity: {BDI: BDI}
    variables: {bmi: {column: bmi}, arm: {column: arm, levels: {}}, relapse: {column: relapse, levels: {"yes": [y]}}}
    """
)


def lines(*rows: tuple[str, ...], header: tuple[str, ...] = HEADER, separator: str = "\t", end: str = "\n") -> str:
    """Text of a table; without rows, those of `ROWS`."""
    return "".join(separator.join(row) + end for row in (header, *(rows or ROWS)))


def edited(row: int, column: str, cell: str) -> str:
    """Text of the table with one cell changed."""
    rows = [list(given) for given in ROWS]
    rows[row][HEADER.index(column)] = cell
    return lines(*map(tuple, rows))


def with_column(name: str, *cells: str) -> str:
    """Text of the table with one more column."""
    return lines(*((*row, cell) for row, cell in zip(ROWS, cells, strict=True)), header=(*HEADER, name))


def _replaced(old: dict[str, str]) -> str:
    rows = [tuple(old.get(cell, cell) for cell in row) for row in ROWS]
    return lines(*rows)


CLEAN = lines()
QUOTED = lines(*(tuple(f'"{cell}"' for cell in row) for row in ROWS), header=tuple(f'"{name}"' for name in HEADER))
PADDED = "\n" + CLEAN.replace("\t", "  \t ").replace("\n", " \n") + "\n\t\t\n \n"
LATIN = CLEAN.replace("Łódź", "Lübeck")
TRAILING = "".join(f"{line}\t\t\n" for line in CLEAN.splitlines())
INVISIBLE = CLEAN.replace("sub-02", "\u200b02\u200e").replace("age", "\ufeffage").replace("Łódź", "\u00a0Łódź\u2060")
SPELT = {"control": "Healthy Control", "patient": "MDD", "F": "weiblich", "M": "MÄNNLICH"}
MISSING = ("", "NA", "N/A", "na", "NaN", "nan", "-", ".", "#N/A", "<NA>", "–", "--", " n/a ")

# Name of the file -> encoding -> content; the table is the same in all of them.
SAME: dict[str, tuple[str, bytes]] = {
    "clean": ("participants.tsv", CLEAN.encode()),
    "byte-order mark": ("participants.tsv", CLEAN.encode("utf-8-sig")),
    "UTF-16": ("participants.tsv", CLEAN.encode("utf-16")),
    "UTF-16 big-endian": ("participants.tsv", b"\xfe\xff" + CLEAN.encode("utf-16-be")),
    "CRLF": ("participants.tsv", CLEAN.replace("\n", "\r\n").encode()),
    "old Mac line ends": ("participants.tsv", CLEAN.replace("\n", "\r").encode()),
    "no last line end": ("participants.tsv", CLEAN.rstrip("\n").encode()),
    "ids without sub-": ("participants.tsv", CLEAN.replace("sub-", "").encode()),
    "some ids without sub-": ("participants.tsv", CLEAN.replace("sub-03", "03").encode()),
    "numbers in quotes": ("participants.tsv", QUOTED.encode()),
    "numbers in single quotes": ("participants.tsv", QUOTED.replace('"', "'").encode()),
    "spaces and blank lines": ("participants.tsv", PADDED.encode()),
    "trailing tabs": ("participants.tsv", TRAILING.encode()),
    "invisible marks": ("participants.tsv", INVISIBLE.encode()),
    "other spellings of levels": ("participants.tsv", _replaced(SPELT).encode()),
    "other order of columns": ("participants.tsv", lines(*(row[::-1] for row in ROWS), header=HEADER[::-1]).encode()),
    "column name with a space": ("participants.tsv", CLEAN.replace("age", "age ").replace("BDI", " BDI").encode()),
    "a column of notes": (
        "participants.tsv",
        with_column("notes", "said: 'no'", "50 %", 'a "b" c', "x, y; z").encode(),
    ),
    "commas in a .csv": ("participants.csv", lines(separator=",").encode()),
    "quoted commas in a .csv": ("participants.csv", QUOTED.replace("\t", ", ").encode("utf-8-sig")),
    **{f"missing is '{cell}'": ("participants.tsv", _replaced({"n/a": cell}).encode()) for cell in MISSING},
}


@dataclass(frozen=True)
class Refused:
    """A table that is refused, and what the message says: cause, value seen, what to do."""

    content: bytes
    says: tuple[str, ...]
    name: str = "participants.tsv"


REFUSED = {
    "empty": Refused(b"", ("participants.tsv is empty", "needs a header line with participant_id")),
    "blank": Refused(b" \n\t\n\r\n", ("is empty",)),
    "header only": Refused(
        lines().splitlines()[0].encode(), ("No scanned participant has a row", "sub-01", "participants table: none")
    ),
    "commas": Refused(
        lines(separator=",").encode(), ("separated by commas, not by tabs", "Save it as text separated by tabs")
    ),
    "semicolons": Refused(
        lines(separator=";").encode(), ("separated by semicolons, not by tabs", "participant_id;age;sex")
    ),
    "spaces": Refused(lines(separator=" ").encode(), ("separated by spaces, not by tabs",)),
    "semicolons in a .csv": Refused(
        lines(separator=";").replace(".5", ",5").encode(), ("separated by semicolons, not by commas",), "people.csv"
    ),
    "tabs in a .csv": Refused(CLEAN.encode(), ("separated by tabs, not by commas",), "people.csv"),
    "ragged": Refused(
        CLEAN.replace("Köln\t2", "Köln").encode(),
        ("has 6 columns, but line 3 ('sub-02') has 5", "one cell per column", "write n/a where there is no value"),
    ),
    "a cell too many": Refused(CLEAN.replace("\t31", "\t31\tx").encode(), ("line 4 ('sub-03') has 7",)),
    "line break in a cell": Refused(
        CLEAN.replace("Łódź", "Łó\ndź").encode(), ("line 4 ('sub-03') has 5, line 5 ('dź')",)
    ),
    "open quotation mark": Refused(
        lines(separator=",").replace("Łódź", '"Łódź').encode(),
        ("cannot be split into cells at line", "must end with one"),
        "people.csv",
    ),
    "NUL bytes": Refused(
        CLEAN.replace("41.5", "41\0.5").encode(), ("has NUL bytes", "damaged", "Save it as UTF-8 text")
    ),
    "UTF-16 without a mark": Refused(CLEAN.encode("utf-16-le"), ("has NUL bytes", "UTF-16 without a mark")),
    "a spreadsheet": Refused(
        b"PK\x03\x04\x14\0", ("is a spreadsheet (or another zip file), not text", "Save it as plain text")
    ),
    "a column twice": Refused(CLEAN.replace("BDI", "age").encode(), ("several columns named age", "its own name")),
    "a column twice but for a space": Refused(CLEAN.replace("BDI", "age ").encode(), ("several columns named age",)),
    "columns without name": Refused(CLEAN.replace("age\tsex", "\t").encode(), ("several columns named (no name)",)),
    "other name of the ids": Refused(
        CLEAN.replace("participant_id", "subject").encode(),
        ("no column 'participant_id'", "Columns: subject, age, sex"),
    ),
    "other case of the ids": Refused(
        CLEAN.replace("participant_id", "Participant_ID").encode(), ("Rename 'Participant_ID' to 'participant_id'",)
    ),
    "duplicates": Refused(
        CLEAN.replace("sub-02", "01").encode(), ("named more than once: sub-01 (2 rows)", "'01' and 'sub-01' are one")
    ),
    "a row without id": Refused(CLEAN.replace("sub-02", "n/a").encode(), ("1 row(s) without participant_id",)),
    "lost leading zeros": Refused(
        CLEAN.replace("sub-0", "").encode(),
        ("leading zeros", "sub-01 / sub-1, sub-02 / sub-2", "as in the BIDS folder"),
    ),
    "ids of a spreadsheet": Refused(CLEAN.replace("sub-03", "3.0").encode(), ("sub-03 / sub-3.0",)),
    "other case of an id": Refused(CLEAN.replace("sub-03", "SUB-03").encode(), ("sub-03 / sub-SUB-03",)),
    "other people": Refused(
        CLEAN.replace("sub-", "P").encode(),
        ("No scanned participant has a row", "In the BIDS folder: sub-01", "sub-P01"),
    ),
    "unmapped levels": Refused(
        _replaced({"control": "0", "patient": "bipolar"}).encode(),
        (
            "column 'group' has values that are no group of config participants.group_levels: '0' (2 x), 'bipolar'",
            "Known are control: hc, healthy control; patient: mdd, depressed. Add the spelling there, or write n/a",
        ),
    ),
    "sex by codes without a meaning": Refused(
        _replaced({"F": "2", "M": "1"}).encode(), ("values that are no sex", "'2' (2 x), '1' (1 x)")
    ),
    "missing as a word": Refused(edited(3, "group", "unknown").encode(), ("no group of", "'unknown' (1 x)")),
    "decimal commas": Refused(
        CLEAN.replace("41.5", "41,5").encode(), ("no number: 'sub-02': '41,5'", "Write the decimal point as '.'")
    ),
    "units in cells": Refused(
        edited(0, "age", "30 y").encode(), ("no number: 'sub-01': '30 y'. Write a number, or n/a",)
    ),
    "ages above a limit": Refused(edited(0, "age", "89+").encode(), ("'sub-01': '89+'",)),
    "impossible age": Refused(edited(0, "age", "999").encode(), ("ages outside 0 to 120 years: 'sub-01': 999",)),
    "a number beyond numbers": Refused(edited(2, "BDI", "1e999").encode(), ("no number: 'sub-03': '1e999'",)),
    "a word in a number": Refused(edited(2, "BDI", "null").encode(), ("column 'BDI'", "'sub-03': 'null'")),
    "other case of a column": Refused(
        CLEAN.replace("age", "Age").encode(), ("there is no column 'age'", "but 'Age'; set the key to the right column")
    ),
    "other name of a column": Refused(
        CLEAN.replace("sex", "Gender").encode(), ("no column 'sex' (config participants.columns.sex), but 'Gender'",)
    ),
    "other case of a scale": Refused(
        CLEAN.replace("BDI", "bdi").encode(), ("no column 'BDI' (config participants.severity.BDI). Did you mean bdi?",)
    ),
    "all at once": Refused(
        edited(0, "age", "old").replace("control", "ctl").replace("BDI", "bdi").encode(),
        ("'sub-01': 'old'", "'ctl' (2 x)", "Did you mean bdi?"),
    ),
}

# Tables that are read, with the warning that they must bring.
DOUBTFUL: dict[str, tuple[bytes, str]] = {
    "latin-1": (LATIN.encode("latin-1"), "is not UTF-8; it was read as Latin-1. Check special letters"),
    "another name of a variable": (with_column("BMI", "22", "23", "24", "25").encode(), "but 'BMI', which is not used"),
    "a code for missing": (
        with_column("bmi", "22", "-99", "24", "-99").encode(),
        "column 'bmi' has -99 (2 x), taken as a number; write n/a if it means missing",
    ),
    "a word for missing": (with_column("arm", "drug", "unknown", "drug", "drug").encode(), "'arm' has 'unknown' (1 x)"),
    "points beyond the scale": (edited(2, "BDI", "64").encode(), "BDI ends at 63; is it another scale"),
    "negative points": (edited(2, "BDI", "-3").encode(), "column 'BDI' has -3 points of BDI"),
}
