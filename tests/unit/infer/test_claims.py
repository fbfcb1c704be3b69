"""The shipped claims, how tests are spelled out for a cohort, and what is refused."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml

from morpho.errors import ConfigError
from morpho.infer.claims.claims import (
    Claim,
    ClaimsFile,
    ClaimTest,
    expand_tests,
    list_needs,
    name_variables,
    write_terms,
)
from morpho.infer.claims.kinds import KINDS
from morpho.infer.claims.parsing import parse_claims

ROOT = Path(__file__).parents[3]
CONTENT = yaml.safe_load((ROOT / "config" / "claims.yaml").read_text(encoding="utf-8"))
SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "claims.schema.yaml").read_text(encoding="utf-8"))
FAMILIES = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))["models"]["families"]
SHIPPED = parse_claims(CONTENT, FAMILIES)
CLAIMS = {claim.claim_id: claim for claim in SHIPPED.claims}
TESTS = [pytest.param(test, id=f"{claim.claim_id}-{test.name}") for claim in SHIPPED.claims for test in claim.tests]
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MOST_WORDS = 25


def make_file(*tests: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Content of a claims file with one claim."""
    claim = {"claim": "It is so.", "review": "here", "evidence": {"says": "little", "source": "none"}}
    return {
        "variables": {
            "course": {
                "levels": {"control": {"group": "control"}, "first": {"group": "patient", "episode_status": "first"}}
            },
            "log_months": {"log1p": "illness_months"},
            "severity_common": {"common_scale": "severity"},
        },
        "populations": {"everyone": {}, "patients": {"group": "patient"}, "young": {"age_years": "<= 21"}},
        "claims": {"own": claim | {"tests": list(tests)}},
    } | others


def ask(formula: str, effect: dict[str, Any], **others: Any) -> dict[str, Any]:
    """One linear test."""
    return {"test": "one", "formula": formula, "effect": effect, **others}


def parse_one(test: dict[str, Any]) -> tuple[ClaimsFile, Claim, ClaimTest]:
    """Parse a file with one test, which the schema allows."""
    content = make_file(test)
    VALIDATOR.validate(content)
    file = parse_claims(content, FAMILIES)
    return file, file.claims[0], file.claims[0].tests[0]


def make_cohort(**columns: Any) -> pd.DataFrame:
    """Four people, two of them patients."""
    base = {"participant_id": list("abcd"), "group": ["control", "control", "patient", "patient"], "age_years": 20.0}
    return pd.DataFrame(base | columns)


def test_the_shipped_file_has_every_claim_of_the_review() -> None:
    wanted = [f"C{number:02}" for number in range(1, 29)] + [f"X{number:02}" for number in range(1, 6)]
    assert list(CLAIMS) == wanted
    assert [name for name, claim in CLAIMS.items() if claim.out_of_reach] == wanted[28:]
    assert [name for name, claim in CLAIMS.items() if not claim.tests] == wanted[28:]


def test_the_shipped_file_fits_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert [f"{list(error.path)}: {error.message}" for error in VALIDATOR.iter_errors(CONTENT)] == []


def test_the_examples_of_the_documentation_can_be_used() -> None:
    text = (ROOT / "config" / "claims.md").read_text(encoding="utf-8")
    examples = [yaml.safe_load(block)["claims"] for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)]
    assert [list(example) for example in examples] == [["rumination"], ["C21", "mindfulness"]]
    for example in examples:
        content = CONTENT | {"claims": example}
        VALIDATOR.validate(content)
        assert parse_claims(content, FAMILIES).claims[0].tests[0].decides


def test_schema_and_parser_know_the_same_kinds() -> None:
    assert set(SCHEMA["$defs"]["test"]["properties"]["kind"]["enum"]) == {"linear", *KINDS}


def test_confirmatory_claims_are_those_of_the_plan() -> None:
    assert [name for name, claim in CLAIMS.items() if claim.confirmatory] == ["C01", "C05", "C08", "C11"]


@pytest.mark.parametrize("claim", SHIPPED.claims, ids=list(CLAIMS))
def test_claims_are_short_and_say_where_they_come_from(claim: Claim) -> None:
    assert len(claim.claim.split()) <= MOST_WORDS
    assert re.match(r"Abstract|Introduction|Results and discussion|Conclusion", claim.review)
    names = [test.name for test in claim.tests]
    assert len(set(names)) == len(names)
    assert (claim.evidence.source == "none") == claim.evidence.says.startswith(("no pooled", "none looked"))


@pytest.mark.parametrize(("claim", "size"), [("C01", -0.144), ("C03", -0.144), ("C08", -0.069), ("C09", -0.073)])
def test_sizes_are_the_published_ones_of_the_hippocampus(claim: str, size: float) -> None:
    """Schmaal 2016, doi:10.1038/mp.2015.69, rounded to two digits."""
    decisive = CLAIMS[claim].tests[0]
    assert decisive.decides[0] == "hippocampus"
    assert list(decisive.expected.values()) == [round(size, 2)]
    assert set(decisive.expected) <= {"", "hippocampus"}


@pytest.mark.parametrize("claim", [claim for claim in SHIPPED.claims if claim.tests], ids=lambda claim: claim.claim_id)
def test_every_claim_is_decided_by_a_test(claim: Claim) -> None:
    assert any(test.decides for test in claim.tests)


@pytest.mark.parametrize("test", TESTS)
def test_deciding_regions_are_in_the_first_family(test: ClaimTest) -> None:
    assert set(test.decides) <= set(FAMILIES[test.families[0]]["rois"])


@pytest.mark.parametrize("test", TESTS)
def test_effects_speak_of_the_formula_and_of_levels_that_exist(test: ClaimTest) -> None:
    """A name that is not in the formula, or a level that nobody can have, would never be found."""
    effect = test.effect
    if test.kind != "linear":
        assert test.needs
        return
    assert effect.variables
    assert set(effect.variables) <= {*name_variables(test)}
    known = {"group": ["control", "patient"], "sex": ["F", "M"], "treatment_resistant": ["yes", "no"]}
    known |= {name: list(made["levels"]) for name, made in SHIPPED.variables.items() if "levels" in made}
    weights = {effect.of: effect.weights or {}, effect.between: effect.between_weights or {}}
    weights |= {name: {level: 1.0} for name, level in effect.where.items()}
    for name, levels in weights.items():
        assert set(levels) <= set(known.get(name, []))
    assert sum((effect.weights or {}).values()) == 0
    assert not (test.decides and (effect.joint or effect.where))


@pytest.mark.parametrize("test", TESTS)
def test_severity_duration_and_medication_are_asked_among_patients(test: ClaimTest) -> None:
    only_patients = {
        "severity_common",
        "log_illness_months",
        "log_episode_months",
        "log_episodes",
        "treatment_resistant",
    }
    if only_patients & {*name_variables(test)} or test.options.get("each") == "severity":
        assert SHIPPED.populations[test.population]["group"] == "patient"


def test_three_groups_are_levels_of_one_model() -> None:
    assert {test.formula for test in CLAIMS["C08"].tests} == {"volume ~ course + covariates"}
    decisive = CLAIMS["C08"].tests[0].effect
    assert decisive.of == "course"
    assert decisive.weights == {"recurrent": 1.0, "first_episode": -1.0}


def test_the_interaction_decides_on_sex() -> None:
    decisive, *described = CLAIMS["C11"].tests
    assert decisive.effect.between == "sex"
    assert decisive.effect.between_weights == {"F": 1.0, "M": -1.0}
    assert decisive.direction == "negative"
    assert not any(test.decides for test in described)


def test_effects_are_read_as_written() -> None:
    trend = CLAIMS["C07"].tests[1].effect
    assert trend.of == "course"
    assert trend.weights == {"control": -1.0, "first_episode": 0.0, "recurrent": 1.0}
    decade = CLAIMS["C25"].tests[1].effect
    assert (decade.of, decade.between, decade.between_unit) == ("group", "age_years", 10.0)
    assert decade.between_weights is None
    assert CLAIMS["C05"].tests[0].effect.is_slope
    assert CLAIMS["C03"].tests[1].outcome == "asymmetry"


def test_a_test_is_made_for_every_column_of_its_domain() -> None:
    given = ask("volume ~ each * group + covariates", {"slope": "each", "between": ["group", "patient", "control"]})
    _, claim, _ = parse_one(given | {"each": "stress"})
    plain, quoted = expand_tests(claim, {"stress": ("pss", "CTQ-total")})
    assert (plain.name, quoted.name) == ("one_pss", "one_CTQ-total")
    assert plain.formula == "volume ~ pss * group + covariates"
    assert quoted.formula == 'volume ~ Q("CTQ-total") * group + covariates'
    assert (plain.effect.of, quoted.effect.of) == ("pss", "CTQ-total")
    assert quoted.effect.between == "group"
    assert name_variables(quoted) == ("CTQ-total", "group")
    assert quoted.needs == ("CTQ-total",)
    assert "each" not in quoted.options


def test_a_domain_without_columns_leaves_one_test_that_needs_it() -> None:
    file, claim, _ = parse_one(ask("volume ~ each + covariates", {"slope": "each"}, each="stress"))
    [test] = expand_tests(claim, {"severity": ("severity_BDI",)})
    assert list_needs(test, make_cohort(), file, {}) == ["a variable of domain stress"]


def test_a_test_without_each_stays_one_test() -> None:
    _, claim, test = parse_one(ask("volume ~ group + covariates", {"difference": ["group", "patient", "control"]}))
    assert expand_tests(claim, {"stress": ("pss", "cortisol")}) == [test]


@pytest.mark.parametrize(
    ("formula", "effect", "columns", "lacks"),
    [
        ("volume ~ group + covariates", {"difference": ["group", "patient", "control"]}, {}, []),
        ("volume ~ pss + covariates", {"slope": "pss"}, {}, ["pss"]),
        ("volume ~ pss + covariates", {"slope": "pss"}, {"pss": np.nan}, ["pss"]),
        ("volume ~ pss + covariates", {"slope": "pss"}, {"pss": [np.nan, np.nan, np.nan, 3.0]}, []),
        ("volume ~ course + covariates", {"joint": ["course"]}, {}, ["episode_status"]),
        ("volume ~ course + covariates", {"joint": ["course"]}, {"episode_status": "first"}, []),
        (
            "volume ~ log_months * course + covariates",
            {"slope": "log_months"},
            {},
            ["illness_months", "episode_status"],
        ),
        ('volume ~ Q("RRS-sum") + covariates', {"slope": "RRS-sum"}, {"RRS": 1.0}, ["RRS-sum"]),
        ("volume ~ np.log(crp) + C(sex, Sum) + covariates", {"slope": "crp"}, {}, ["crp", "sex"]),
        ("volume ~ severity_common + covariates", {"slope": "severity_common"}, {}, ["a scale of domain severity"]),
    ],
)
def test_what_a_small_cohort_lacks(
    formula: str, effect: dict[str, Any], columns: dict[str, Any], lacks: list[str]
) -> None:
    file, _, test = parse_one(ask(formula, effect))
    assert list_needs(test, make_cohort(**columns), file, {}) == lacks


def test_needs_and_population_count_as_well() -> None:
    given = {"test": "one", "kind": "outcome", "options": {"event": "relapse"}, "needs": ["relapse", "visit_2"]}
    file, _, test = parse_one(given | {"population": "young"})
    assert list_needs(test, make_cohort(relapse="no"), file, {}) == ["visit_2"]
    assert list_needs(test, make_cohort(visit_2=1.0).drop(columns="age_years"), file, {}) == ["relapse", "age_years"]


def test_a_bare_cohort_can_be_asked_about_its_groups_alone() -> None:
    """Group, age, sex and site, as nearly every cohort has them."""
    people = make_cohort(sex="F", site="north")
    ready = {
        name
        for name, claim in CLAIMS.items()
        if any(test.decides and not list_needs(test, people, SHIPPED, {}) for test in expand_tests(claim, {}))
    }
    assert ready == {"C01", "C02", "C03", "C04", "C11", "C14", "C22", "C23", "C25", "C26"}


def test_terms_are_the_formula_without_covariates() -> None:
    _, _, test = parse_one(ask("volume ~ 1 + group * (sex + age_years) + covariates", {"joint": ["group"]}))
    assert write_terms(test) == "group * (sex + age_years)"
    assert name_variables(test) == ("group", "sex", "age_years")


def test_a_claim_can_be_taken_away() -> None:
    content = CONTENT | {"claims": CONTENT["claims"] | {"C21": None}}
    VALIDATOR.validate(content)
    assert [claim.claim_id for claim in parse_claims(content, FAMILIES).claims] == [n for n in CLAIMS if n != "C21"]


def test_all_problems_are_told_at_once() -> None:
    slope = {"slope": "pss"}
    content = make_file(
        ask("volume ~ pss", slope, population="martians"),
        ask("volume ~ pss", slope, families=["primary", "secondary"]) | {"test": "two"},
        ask("volume ~ pss", slope | {"joint": ["pss"]}) | {"test": "three"},
        ask("volume ~ pss + (", slope) | {"test": "four"},
    )
    with pytest.raises(ConfigError) as caught:
        parse_claims(content, {name: FAMILIES[name] for name in ("primary", "totals")})
    message = str(caught.value)
    assert "own, test one: unknown population 'martians'; known are everyone, patients, young" in message
    assert "own, test two: unknown families ['secondary']; config models.families has primary, totals" in message
    assert "own, test three: an effect is one of difference, trend, slope or joint" in message
    assert "own, test four: the formula 'volume ~ pss + (' cannot be read" in message
    assert message.count("\n- ") == 4


@pytest.mark.parametrize(
    ("size", "expected"),
    [(-0.1, {"": -0.1}), ({"dlpfc": -0.2, "vmpfc": 0.1}, {"dlpfc": -0.2, "vmpfc": 0.1}), (None, {})],
)
def test_claimed_sizes_are_by_region_or_for_all(size: Any, expected: dict[str, float]) -> None:
    says = {"direction": "negative"} | ({} if size is None else {"size": size})
    given = ask("volume ~ pss + covariates", {"slope": "pss"}, decides=["dlpfc", "vmpfc"], says=says)
    assert parse_one(given)[2].expected == expected


def test_a_smallest_effect_of_its_own_is_kept() -> None:
    says = {"direction": "negative", "smallest": 0.05}
    given = ask("volume ~ pss + covariates", {"slope": "pss"}, decides=["dlpfc"], says=says)
    assert parse_one(given)[2].smallest == 0.05
    assert parse_one(ask("volume ~ pss + covariates", {"slope": "pss"}))[2].smallest is None


@pytest.mark.parametrize(
    ("tests", "problem"),
    [
        ([ask("volume ~ pss", {"slope": "pss"})] * 2, "own, test one: there are two tests of this name"),
        (
            [ask("volume ~ pss", {"slope": "pss"}, decides=["frontal_pole"])],
            "own, test one: decides on frontal_pole, which its families do not have",
        ),
        ([ask("volume ~ pss", {"slope": "crp"})], "own, test one: the effect speaks of crp, which the formula lacks"),
        (
            [ask("volume ~ group + sex", {"difference": ["group", "patient", "control"], "per": "age_years"})],
            "own, test one: the effect speaks of age_years, which the formula lacks",
        ),
        (
            [ask("volume ~ group", {"difference": ["group", "patient", "control"], "where": {"sex": "F"}})],
            "own, test one: the effect speaks of sex, which the formula lacks",
        ),
    ],
    ids=["name", "region", "slope", "per", "where"],
)
def test_a_test_that_could_never_be_made_is_refused(tests: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_claims(make_file(*tests), FAMILIES)
    assert problem in str(caught.value)
    assert str(caught.value).count("\n- ") == 1


def test_an_effect_on_the_column_that_each_stands_for_is_in_the_formula() -> None:
    given = ask("volume ~ group * each + covariates", {"difference": ["group", "patient", "control"], "per": "each"})
    _, claim, _ = parse_one(given | {"each": "ancestry"})
    [test] = expand_tests(claim, {"ancestry": ("1st PC",)})
    assert test.effect.between == "1st PC"
    assert test.formula == 'volume ~ group * Q("1st PC") + covariates'


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ({"test": "one", "formula": "volume ~ group"}, "'effect' is a required property"),
        (ask("thickness ~ group", {"slope": "pss"}), "does not match"),
        (ask("volume ~ group", {"slope": "pss", "joint": ["pss"]}), "is valid under each of"),
        (
            ask("volume ~ group", {"slope": "pss", "per": "age_years", "between": ["sex", "F", "M"]}),
            "should not be valid",
        ),
        (
            ask("volume ~ group", {"joint": ["group"]}, decides=["dlpfc"], says={"direction": "either"}),
            "expected to be empty",
        ),
        (ask("volume ~ group", {"slope": "pss"}, decides=["dlpfc"]), "'says' is a required property"),
        (ask("volume ~ group", {"difference": ["responder", True, False]}), "is not of type 'string'"),
        (ask("volume ~ group", {"slope": "pss"}, region="dlpfc"), "'region' was unexpected"),
        ({"test": "one", "kind": "sites"}, "'needs' is a required property"),
        ({"test": "one", "kind": "sites", "needs": ["site"], "formula": "volume ~ group"}, "False schema"),
        ({"test": "one", "kind": "change", "needs": ["visit_2"]}, "'options' is a required property"),
        (
            {"test": "one", "kind": "outcome", "needs": ["relapse"], "options": {"target": "relapse"}},
            "'event' is a required",
        ),
    ],
)
def test_the_schema_refuses(test: dict[str, Any], why: str) -> None:
    errors = list(VALIDATOR.iter_errors(make_file(test)))
    messages = [inner.message for error in errors for inner in (error, *error.context)]
    assert any(why in message for message in messages), messages
