"""What `morpho doctor` finds, one line each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from morpho.cli.terminal import align, fill, paint

Verdict = Literal["ok", "note", "fail", ""]
VERDICT_WIDTH = 4


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `value` is what was found, `wanted` what is needed; `verdict` is "ok", "note" (it works, but should be known),
    "fail" (something is broken) or "" (for information); `remedy` says what to do about a note or a failure.
    """

    what: str
    value: str
    verdict: Verdict = "ok"
    wanted: str = ""
    remedy: str = ""


def format_findings(title: str, findings: Iterable[Finding]) -> list[str]:
    """Lay out findings under a title: what, value, what is needed, verdict, and remedies indented below."""
    findings = list(findings)
    lines = align([finding.what, finding.value, finding.wanted] for finding in findings)
    text = [title]
    for line, finding in zip(lines, findings, strict=True):
        text.append(f"{paint(finding.verdict.ljust(VERDICT_WIDTH))}  {line.lstrip()}".rstrip())
        text += fill(finding.remedy, first=" " * 8 + "-> ", indent=" " * 11) if finding.remedy else []
    return text


def has_failure(findings: Iterable[Finding]) -> bool:
    """Whether something is broken."""
    return any(finding.verdict == "fail" for finding in findings)
