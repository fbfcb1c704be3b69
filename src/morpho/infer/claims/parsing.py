"""Read the content of a claims file into claims, and refuse it with all its problems at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from morpho.errors import ConfigError
from morpho.formulas import check_formula
from morpho.infer.claims.claims import (
    COVARIATES,
    EACH,
    Claim,
    ClaimsFile,
    ClaimTest,
    Evidence,
    name_variables,
    write_terms,
)
from morpho.infer.contrasts import Effect
from morpho.infer.study import Families


def parse_claims(content: Mapping[str, Any], families: Families) -> ClaimsFile:
    """Turn the content of a claims file, valid against its schema, into claims.

    Parameters
    ----------
    content
        Blocks ``variables``, ``populations`` and ``claims``.
    families
        Families of regions (config models.families).

    Returns
    -------
    Claims in the order of the file.

    Raises
    ------
    ConfigError
        With all problems: unknown populations, families or deciding regions, tests of one name, formulas that cannot be
        read or are more than a model, effects that cannot be read or speak of variables that are not in the formula.
    """
    problems: list[str] = []
    claims = [
        _parse_claim(name, entry, content["populations"], families, problems)
        for name, entry in content["claims"].items()
        if entry is not None
    ]
    if problems:
        msg = "The claims file cannot be used:\n" + "\n".join(f"- {problem}" for problem in problems)
        raise ConfigError(msg)
    return ClaimsFile(tuple(claims), content["variables"], content["populations"])


def _parse_claim(
    name: str, entry: Mapping[str, Any], populations: Mapping[str, Any], families: Families, problems: list[str]
) -> Claim:
    """Turn one entry of the file into a claim."""
    tests: list[ClaimTest] = []
    for given in entry.get("tests", []):
        place = f"{name}, test {given['test']}"
        test = _parse_test(given, place, problems)
        unknown = [family for family in test.families if family not in families]
        if unknown:
            problems.append(f"{place}: unknown families {unknown}; config models.families has {', '.join(families)}")
        if test.population not in populations:
            problems.append(f"{place}: unknown population {test.population!r}; known are {', '.join(populations)}")
        if test.name in {other.name for other in tests}:
            problems.append(f"{place}: there are two tests of this name")
        problems += [f"{place}: {problem}" for problem in _find_mismatches(test, families)]
        tests.append(test)
    evidence = Evidence(entry["evidence"]["says"], entry["evidence"]["source"])
    return Claim(
        claim_id=name,
        claim=entry["claim"],
        review=entry["review"],
        confirmatory=entry.get("confirmatory", False),
        evidence=evidence,
        tests=tuple(tests),
        out_of_reach=entry.get("out_of_reach", ""),
    )


def _parse_test(given: Mapping[str, Any], place: str, problems: list[str]) -> ClaimTest:
    """Turn one entry of a claim's tests into a test."""
    kind = given.get("kind", "linear")
    formula = given.get("formula", "")
    if kind == "linear":
        try:
            check_formula(formula)
        except ConfigError as error:
            problems.append(f"{place}: {error}")
            formula = ""
    says = given.get("says", {})
    size = says.get("size")
    return ClaimTest(
        name=given["test"],
        kind=kind,
        formula=formula,
        effect=_parse_effect(given.get("effect", {}), place, problems),
        population=given.get("population", "everyone"),
        families=tuple(given.get("families", ["primary"])),
        decides=tuple(given.get("decides", [])),
        direction=says.get("direction", "either"),
        expected=size if isinstance(size, Mapping) else {} if size is None else {"": float(size)},
        smallest=says.get("smallest"),
        needs=tuple(given.get("needs", [])),
        outcome=given.get("outcome", "volume"),
        options={**given.get("options", {}), **({EACH: given[EACH]} if EACH in given else {})},
    )


def _find_mismatches(test: ClaimTest, families: Families) -> list[str]:
    """Find deciding regions that no family of a test has, and effects of variables that its formula lacks."""
    rois = {roi for name in test.families if name in families for roi in families[name]["rois"]}
    problems = [f"decides on {roi}, which its families do not have" for roi in test.decides if roi not in rois]
    if COVARIATES in write_terms(test).replace("(", " ").replace(")", " ").split():
        problems.append(f"'{COVARIATES}' must stand alone in the formula, added by +: {test.formula}")
    if test.kind == "linear" and test.formula:
        names = {*name_variables(test), EACH}
        problems += [
            f"the effect speaks of {name}, which the formula lacks"
            for name in test.effect.variables
            if name not in names
        ]
    return problems


def _parse_effect(given: Mapping[str, Any], place: str, problems: list[str]) -> Effect:
    """Turn the description of an effect into the effect."""
    difference, trend, between = given.get("difference"), given.get("trend"), given.get("between")
    if sum(key in given for key in ("difference", "trend", "slope", "joint")) != (1 if given else 0):
        problems.append(f"{place}: an effect is one of difference, trend, slope or joint; got {dict(given)}")
        return Effect()
    of, weights = given.get("slope", ""), None
    if difference:
        of, weights = difference[0], {difference[2]: -1.0, difference[1]: 1.0}
    elif trend:
        of, weights = trend["of"], {level: float(weight) for level, weight in trend["weights"].items()}
    return Effect(
        of=of,
        weights=weights,
        unit=float(given.get("unit", 1.0)),
        between=between[0] if between else given.get("per", ""),
        between_weights={between[1]: 1.0, between[2]: -1.0} if between else None,
        between_unit=float(given.get("per_unit", 1.0)),
        where=given.get("where", {}),
        joint=tuple(given.get("joint", ())),
    )
