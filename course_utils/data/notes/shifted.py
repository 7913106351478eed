"""A second grammar: other people write the notes, and nobody has seen their phrases before.

The same findings, in longer notes with longer lists. Cues that are new (*absence of*), cues made of
known words in a new order (*no further increase in*, *testing has ruled X out*), terminators that
stand between a finding and its cue (*considered, but is unlikely*), assertions that no terminator
announces (*denies X, reports Y*), paraphrases and misspellings; and what the ordinary grammar does
not have at all: uncertainty, other people's diagnoses, and the past.
"""

from __future__ import annotations

from course_utils.data.notes.grammar import Grammar
from course_utils.data.notes.phrases import (
    AGES,
    CLOSINGS,
    KINDS,
    MODIFIERS,
    PATIENTS,
    REMARKS,
    SETTINGS,
)

#: ``uncertain``: possible, or not excluded; the label counts what is established, so it is 0.
#: ``family``: somebody else's finding, 0. ``history``: the patient's past or known finding, 1, as
#: in the ordinary grammar, where *history of* is ``plain``.
SHIFTED_KINDS = (*KINDS, "uncertain", "family", "history")

WEIGHTS = {
    "plain": 0.20,
    "before": 0.14,
    "list": 0.12,
    "after": 0.14,
    "mixed": 0.15,
    "pseudo": 0.11,
    "uncertain": 0.05,
    "family": 0.04,
    "history": 0.05,
}
STATEMENTS: dict[str, tuple[str, ...]] = {
    "plain": (
        "came in because of {plain/S} .",
        "complains of {plain/S} and {plain/S} .",
        "exam remarkable for {plain/E} .",
        "imaging and labs revealed {plain/LD} .",
        "found to have {plain} .",
        "findings are those of {plain/D} .",
        "problem list : {plain} , {plain} , {plain} and {plain} .",
        "continues to have {plain/SE} .",
        "{plain/D} is confirmed and being treated .",
        "also reports {plain/S} today .",
    ),
    "before": (
        "[absence of] {before} .",
        "does [not] report {before/S} .",
        "[no longer] has {before/SE} .",
        "was [not found to have] {before/ELD} .",
        "[no new] {before} today .",
        "imaging [did not show] {before/D} .",
        "[lacks] {before} .",
        "[nothing to suggest] {before/D} .",
        "testing has [ruled] {before/D} [out] .",
        "there is [no history of] {before/D} .",
        "has [never] reported {before/S} .",
        "[no evidence] whatsoever of {before/ELD} .",
    ),
    "list": (
        "[denies] any {before/S} , {list/S} , {list/S} , {list/S} or {list/S} .",
        "[no] {before} , {list} , {list} , {list} or {list} .",
        "[negative for] {before} , {list} , {list} and also {list} .",
        "[without] {before} , {list} , {list} or {list} .",
        "[absence of] {before} , {list} and {list} .",
        "{list/D} , {list/D} , {list/D} and {after/D} have all been [excluded] .",
        "testing for {list/D} , {list/D} and {after/D} came back entirely [negative] .",
    ),
    "after": (
        "{after/D} was [not found] .",
        "{after} is [absent] .",
        "{after/D} was considered , but is [unlikely] .",
        "evaluated for {list/D} and {after/D} , however both were [ruled out] .",
        "initial concern for {after/D} , but testing came back [negative] .",
        "{after/D} could [not] be confirmed .",
        "{after/ED} was looked for and [not seen] .",
        "concern for {after/D} , although now considered [unlikely] .",
        "{after/D} has since been [excluded] .",
    ),
    "mixed": (
        "[denies] {before:0/S} , [reports] {ended:1/S} .",
        "[denies] {before:0/S} and is [being treated for] {ended:1/D} .",
        "[no] {before:0} , {list:0} or {list:0} , [yet] {ended:1} is present .",
        "{after:0/D} was [ruled out] , [work up showed] {ended:1/LD} .",
        "[no] {before:0} [apart from] {ended:1} .",
        "[denies] {before:0/S} , {list:0/S} or {list:0/S} [but] still has {ended:1/SE} .",
        "[negative for] {before:0} , {ended:1} was [confirmed] .",
        "{plain/S} for two weeks , [without] {before/SE} .",
        "{plain/D} is confirmed , {after/D} [not found] .",
    ),
    "pseudo": (
        "[no further increase in] {pseudo/SE} .",
        "[no significant change in] {pseudo} .",
        "[not just] {pseudo} but also {pseudo} .",
        "[no doubt about] {pseudo/D} .",
        "walks [without any difficulty] despite {pseudo/SD} .",
        "{pseudo/SEL} has [not yet improved] .",
        "{pseudo/SEL} did [not fully resolve] .",
        "[no real increase in] {pseudo/SE} , [denies] {before:1/S} .",
    ),
    "uncertain": (
        "[possible] {uncertain/D} .",
        "[cannot exclude] {uncertain/D} .",
        "{uncertain/D} [cannot be excluded] .",
        "[suspected] {uncertain/D} , results pending .",
        "findings [may represent] {uncertain/D} or {uncertain/D} .",
    ),
    "family": (
        "[family history of] {family/D} .",
        "[mother] was diagnosed with {family/D} .",
        "[father] with {family/D} and {family/D} .",
        "[brother] being treated for {family/D} .",
    ),
    "history": (
        "past [history of] {history/D} , {history/D} and {history/D} .",
        "[long standing] {history/D} .",
        "[previously] diagnosed with {history/D} .",
        "[known] {history/D} .",
    ),
}

# finding -> (paraphrases, misspellings); many paraphrases only turn known words around
FORMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "chest pain": (("pain in the chest", "chest discomfort"), ("chest pian", "chset pain")),
    "heart failure": (
        ("failure of the heart", "cardiac failure"),
        ("heart failiure", "haert failure"),
    ),
    "atrial fibrillation": (
        ("fibrillation of the atria", "atrial flutter or fibrillation"),
        ("atrial fibrilation", "atrial fibrillaton"),
    ),
    "elevated troponin": (
        ("troponin elevated", "troponin rise"),
        ("elevated tropinin", "elavated troponin"),
    ),
    "pericardial effusion": (
        ("effusion , pericardial", "fluid around the heart"),
        ("pericardial efusion", "pericardal effusion"),
    ),
    "coronary artery disease": (
        ("coronary disease", "disease of the coronary arteries"),
        ("coronary artery diseaes", "coronory artery disease"),
    ),
    "elevated blood pressure": (
        ("blood pressure elevated", "high blood pressure"),
        ("elevated blood presure", "elevated blod pressure"),
    ),
    "pedal edema": (("edema , pedal", "swelling of both feet"), ("pedal edma", "peddal edema")),
    "heart murmur": (
        ("murmur over the heart", "systolic murmur"),
        ("heart murmer", "haert murmur"),
    ),
    "pneumonia": (("lobar pneumonia", "pneumonic infiltrate"), ("pnuemonia", "pneumonai")),
    "wheezing": (("wheezing on expiration", "audible wheezes"), ("wheezeing", "weezing")),
    "respiratory failure": (
        ("failure , respiratory", "failing respiration"),
        ("respiratory failiure", "respitory failure"),
    ),
    "pleural effusion": (
        ("effusion , pleural", "fluid around the lung"),
        ("pleural efusion", "plural effusion"),
    ),
    "chronic bronchitis": (
        ("bronchitis , chronic", "chronic inflamed bronchi"),
        ("chronic bronchitits", "chronic bronchits"),
    ),
    "low oxygen saturation": (
        ("oxygen saturation low", "low oxygen level"),
        ("low oxigen saturation", "low oxygen saturaton"),
    ),
    "obstructive lung disease": (
        ("lung disease , obstructive", "obstructive airway disease"),
        ("obstructive lung diseaes", "obstuctive lung disease"),
    ),
    "chest tightness": (
        ("tightness of the chest", "a tight chest"),
        ("chest tigthness", "chest tightnes"),
    ),
    "productive cough": (
        ("cough , productive", "cough with sputum"),
        ("productive couhg", "prodctive cough"),
    ),
    "renal failure": (("failure , renal", "kidney failure"), ("renal failiure", "renel failure")),
    "acute kidney injury": (
        ("kidney injury , acute", "acute renal injury"),
        ("acute kidny injury", "acute kidney injurry"),
    ),
    "chronic kidney disease": (
        ("kidney disease , chronic", "chronic renal disease"),
        ("chronic kidny disease", "cronic kidney disease"),
    ),
    "elevated creatinine": (
        ("creatinine elevated", "creatinine above baseline"),
        ("elevated creatinin", "elavated creatinine"),
    ),
    "low urine output": (
        ("urine output low", "low output of urine"),
        ("low urin output", "low urine outptu"),
    ),
    "proteinuria": (
        ("mild to moderate proteinuria", "protein in the urine"),
        ("protienuria", "proteinurea"),
    ),
    "periorbital edema": (
        ("edema , periorbital", "puffy eyes from edema"),
        ("periorbital edma", "periorbitel edema"),
    ),
    "kidney stone": (("stone in the kidney", "kidney stones"), ("kidny stone", "kidney stoen")),
    "flank pain": (("pain in the flank", "flank tenderness"), ("flank pian", "flnak pain")),
    "type two diabetes": (
        ("diabetes , type two", "type two diabetes mellitus"),
        ("type two diabetis", "type two diabtes"),
    ),
    "elevated glucose": (
        ("glucose elevated", "high glucose"),
        ("elevated gluocse", "elavated glucose"),
    ),
    "low blood sugar": (("blood sugar low", "low sugar"), ("low blood suger", "low blod sugar")),
    "diabetic neuropathy": (
        ("neuropathy , diabetic", "nerve damage from diabetes"),
        ("diabetic nueropathy", "diabetic neuropaty"),
    ),
    "diabetic retinopathy": (
        ("retinopathy , diabetic", "eye damage from diabetes"),
        ("diabetic retinopaty", "diabetic retinpathy"),
    ),
    "diabetic foot ulcer": (
        ("foot ulcer , diabetic", "ulcer on the foot from diabetes"),
        ("diabetic foot ulcr", "diabetic foot ulser"),
    ),
    "hyperglycemia": (
        ("marked hyperglycemia", "hyperglycemic state"),
        ("hyperglycaemai", "hyperglicemia"),
    ),
    "increased thirst": (
        ("thirst increased", "excessive thirst"),
        ("increased thrist", "incresed thirst"),
    ),
    "insulin resistance": (
        ("resistance to insulin", "insulin resistant state"),
        ("insulin resistence", "insuline resistance"),
    ),
}

SHIFTED = Grammar(
    statements=STATEMENTS,
    weights=WEIGHTS,
    kinds=SHIFTED_KINDS,
    remarks=(
        *REMARKS[:16],
        "never smoked .",
        "no complaints about the food .",
        "mother visits daily .",
        "cannot recall all medications .",
        "slept poorly , yet feels rested .",
        "possible discharge on monday .",
        "history obtained from family .",
        "results of the stress test pending .",
    ),
    settings=(*SETTINGS, "walked in without an appointment .", "referred by a colleague ."),
    closings=(*CLOSINGS, "family informed , no questions .", "return if anything changes ."),
    ages=(*AGES, "39", "91"),
    patients=PATIENTS,
    modifiers=MODIFIERS,
    forms=FORMS,
    slots=5,
    rewritten=(0.25, 0.15),
)
