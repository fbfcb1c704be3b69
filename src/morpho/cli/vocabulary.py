"""Words by which `morpho init` recognises columns and levels of a participants table, and how they are matched."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

CONTROL, PATIENT = "control", "patient"
CONTROL_WORDS = frozenset({
    "control", "controls", "ctrl", "ctl", "con", "hc", "hcs", "healthy", "nc", "hv", "normal", "nondepressed",
    "comparison", "kontrolle", "kontrollen", "gesund", "gesunde", "temoin", "temoins", "sain", "sains", "sano", "sanos",
})  # fmt: skip
PATIENT_WORDS = frozenset({
    "patient", "patients", "mdd", "depr", "depressed", "depression", "depressive", "dep", "mde", "unipolar", "case",
    "cases", "patienten", "depressif", "depresion", "trd",
})  # fmt: skip
# With one of these, a group is neither, or not only, what the words above say.
OTHER_WORDS = frozenset({
    "bipolar", "bd", "bp", "mania", "manic", "scz", "sz", "schizophrenia", "psychosis", "psychotic", "ptsd", "adhd",
    "asd", "autism", "anxiety", "gad", "ocd", "remitted", "remission", "recovered", "rmdd", "sibling", "siblings",
    "relative", "relatives", "risk", "dysthymia", "subthreshold", "former", "past", "twin",
})  # fmt: skip
NOT_DEPRESSED = re.compile(r"\b(non|not|never|no|without) (depress\w*|mdd|patients?)\b")

FEMALE_WORDS = frozenset({"f", "female", "females", "fem", "w", "woman", "women", "girl", "weiblich", "frau", "femme"})
MALE_WORDS = frozenset({"m", "male", "males", "man", "men", "boy", "maennlich", "mannlich", "mann", "homme"})
YES_WORDS = frozenset({"1", "yes", "y", "true"})
NO_WORDS = frozenset({"0", "no", "n", "false"})

# Column names, letters and digits only, best first.
GROUP_NAMES = (
    "group", "groups", "diagnosis", "dx", "dxgroup", "diagnosticgroup", "diagnosisgroup", "groupid", "groupname",
    "diag", "diagnostic", "clinicalgroup", "studygroup", "cohort", "condition", "status", "casecontrol", "gruppe",
    "groupe",
)  # fmt: skip
CASE_NAMES = (
    "patient", "ispatient", "mdd", "hasmdd", "mddstatus", "case", "iscase", "depressed", "depression",
    "depressiondiagnosis", "mdddiagnosis",
)  # fmt: skip
SEX_NAMES = ("sex", "gender", "sexatbirth", "biologicalsex", "sexe", "geschlecht", "sexo")
AGE_NAMES = (
    "age", "ageyears", "ageyrs", "ageinyears", "ageatscan", "agescan", "ageatmri", "agemri", "ageatbaseline",
    "agebaseline", "ages", "alter",
)  # fmt: skip
SITE_NAMES = (
    "site", "siteid", "sitename", "center", "centre", "scanner", "scannerid", "scannername", "scannersite", "sites",
    "institution", "institutionname", "studysite", "acquisitionsite",
)  # fmt: skip

AFFIX = r"(total|sum|sumscore|score|scores|totalscore|tot|raw|self|selfreport|clinician)?"
VISIT = r"(baseline|base|bl|t0|t1|pre|v1|visit1|week0|w0)?"
# Scale -> pattern of the column's name (letters and digits only).
SCALES: Mapping[str, str] = {
    "HAMD17": r"(hamd|hdrs|hrsd|hamdrs|hamdep)17",
    "HAMD21": r"(hamd|hdrs|hrsd|hamdrs|hamdep)21",
    "HAMD24": r"(hamd|hdrs|hrsd|hamdrs|hamdep)24",
    "HAMD28": r"(hamd|hdrs|hrsd|hamdrs|hamdep)28",
    "HAMD": r"(hamd|hdrs|hrsd|hamdrs|hamdep|hamilton|hamiltondepression|hamdscale)",
    "MADRS": r"madrs(s|sr)?",
    "BDI-II": r"(bdiii|bdi2|beckii|beck2)",
    "BDI": r"(bdi|bdi1|bdi1a|bdia|beck|beckdepression|beckdepressioninventory)",
    "PHQ-9": r"phq9",
    "PHQ-8": r"phq8",
    "QIDS": r"qids(16)?(sr|c)?(16)?",
    "IDS": r"ids(30)?(sr|c)?(30)?",
    "CES-D": r"cesd(20|r|c)?",
    "CDI": r"cdi(2)?",
    "CDRS-R": r"cdrs(r)?",
    "GDS": r"gds(15|30)?",
    "HADS-D": r"hads?(d|dep|depr|depression)",
    "Zung SDS": r"(zung|zungsds|sds|sdszung|zungscale)",
    "EPDS": r"epds",
    "DASS-D": r"dass(21|42)?(d|dep|depr|depression)",
    "MFQ": r"mfq",
}

# Study variable of config.yaml -> other names that its column may have.
VARIABLE_NAMES: Mapping[str, tuple[str, ...]] = {
    "education_years": ("education", "edu", "educ", "eduyears", "educationyrs", "yearsofeducation", "yearseducation",
                        "eduyrs", "yrsedu", "schoolyears"),
    "handedness": ("hand", "handed", "dominanthand", "handednessgroup"),
    "family_id": ("family", "familyid", "famid", "pedigree"),
    "episode_status": ("episode", "firstepisode", "episodetype", "firstorrecurrent", "course"),
    "n_episodes": ("episodes", "numberofepisodes", "numepisodes", "nepisodes", "noofepisodes", "episodecount",
                   "depressiveepisodes", "nodepressiveepisodes"),
    "age_onset_years": ("ageonset", "ageofonset", "onsetage", "ageatonset", "aao", "onset", "agefirstepisode"),
    "illness_months": ("illnessduration", "durationofillness", "durationillness", "illnessdurationmonths", "doi",
                       "diseaseduration", "durationillnessmonths", "durationmonths"),
    "episode_months": ("episodeduration", "episodelength", "durationepisode", "currentepisodeduration",
                       "episodedurationmonths"),
    "state": ("currentstate", "clinicalstate", "moodstate", "acuteremitted"),
    "medication": ("med", "meds", "medicated", "medicationstatus", "antidepressant", "antidepressants", "onmedication",
                   "medicationuse", "aduse"),
    "treatment_resistant": ("trd", "treatmentresistance", "resistant", "treatmentresistantdepression"),
    "comorbid_anxiety": ("anxietycomorbidity", "comorbidanxiety", "anxietydisorder", "anxdisorder"),
    "psychotic": ("psychoticfeatures", "psychoticdepression"),
    "anxiety_total": ("stai", "staistate", "staitrait", "stait", "stais", "bai", "hama", "hamatotal", "hars", "gad7",
                      "hadsa", "hadsanx", "hadsanxiety", "anxiety", "masc"),
    "ctq_total": ("ctq", "ctqsum", "ctqscore", "ctqtotalscore"),
    "pss": ("pss10", "pss14", "pss4", "psstotal", "perceivedstress"),
    "cortisol": ("cort", "salivarycortisol", "serumcortisol"),
    "crp": ("hscrp", "crpmgl", "creactiveprotein"),
    "bmi": ("bodymassindex",),
    "httlpr": ("5httlpr", "httlpr", "slc6a4", "5htt", "serotonintransporter"),
    "bdnf": ("bdnfval66met", "val66met", "rs6265", "bdnfgenotype"),
    "PC1": ("pc1", "c1"), "PC2": ("pc2", "c2"), "PC3": ("pc3", "c3"), "PC4": ("pc4", "c4"),
    "treatment": ("arm", "treatmentarm", "treatmentgroup", "intervention", "allocation"),
    "weeks": ("week", "weekssincebaseline"),
    "ect_sessions": ("nect", "numect", "ectcount", "nectsessions", "numberofect"),
    "ect_electrode": ("electrodeplacement", "electrode", "ectplacement"),
    "responder": ("response", "responderstatus", "treatmentresponse", "treatmentresponder"),
    "remitter": ("remitterstatus", "remittedafter"),
    "symptom_change_percent": ("percentchange", "symptomchange", "improvementpercent"),
    "relapse": ("relapsed", "recurrenceafter"),
    "months_to_relapse": ("timetorelapse", "timetorelapsemonths"),
}  # fmt: skip
NUMERIC_HANDEDNESS = ("edinburgh", "ehi", "edinburghhandedness", "lateralityquotient", "handednessscore", "ehiscore")
TABLE_COLUMNS = frozenset({"participant_id", "session_id", "acq_time"})


def squeeze(name: str) -> str:
    """Keep the letters and digits of a column's name, in lower case and without accents.

    Examples
    --------
    >>> squeeze("HAM-D (17) Ä")
    'hamd17a'
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())


def find_scale(name: str) -> str | None:
    """Find the severity scale that a column's name stands for; None if it is none that is known.

    Examples
    --------
    >>> find_scale("hdrs_17_total"), find_scale("BDI"), find_scale("bdi_item_4")
    ('HAMD17', 'BDI', None)
    """
    text = squeeze(name)
    for scale, pattern in SCALES.items():
        if re.fullmatch(f"{VISIT}{AFFIX}{pattern}{AFFIX}{VISIT}", text):
            return scale
    return None


def classify_group(text: str) -> str | None:
    """Say which of the two groups a level, or its description, speaks of; None if it is another one, or unclear.

    Examples
    --------
    >>> classify_group("MDD-R"), classify_group("Healthy volunteers"), classify_group("MDD, remitted")
    ('patient', 'control', None)
    """
    words = _words(text)
    if NOT_DEPRESSED.search(words):
        return CONTROL
    seen = set(words.split())
    if seen & OTHER_WORDS or not seen & (CONTROL_WORDS | PATIENT_WORDS):
        return None
    if seen & CONTROL_WORDS and seen & PATIENT_WORDS:
        return None
    return CONTROL if seen & CONTROL_WORDS else PATIENT


def mentions_other(text: str) -> bool:
    """Whether a text speaks of people who are neither healthy nor simply depressed."""
    return bool(set(_words(text).split()) & OTHER_WORDS)


def _words(text: str) -> str:
    """Words of a text in lower case, without accents and signs."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[^a-z0-9]+", " ", "".join(letter for letter in plain if not unicodedata.combining(letter))).strip()


def classify_sex(text: str) -> str | None:
    """Say which sex a level, or its description, means (F, M); None if it is unclear."""
    word = squeeze(text)
    if word in FEMALE_WORDS:
        return "F"
    return "M" if word in MALE_WORDS else None
