"""What an ordinary synthetic note is made of: findings, statements, remarks.

Statements are written like ``[denies] {before:0/S} [but] reports {ended:1/S} .``: cues stand in
square brackets, a slot holds the kind of mention, the number of its cue (0 when left out) and the
sorts of finding that make sense there: ``S`` a symptom that a patient tells, ``E`` a sign or
measurement at the bedside, ``L`` a laboratory value, ``D`` a diagnosis; any when left out.
"""

from __future__ import annotations

from course_utils.data.notes.grammar import Grammar

CLASS_NAMES = ("Cardiac", "Respiratory", "Renal", "Diabetes")

FINDINGS: dict[str, tuple[str, ...]] = {
    "Cardiac": (
        "chest pain",
        "heart failure",
        "atrial fibrillation",
        "elevated troponin",
        "pericardial effusion",
        "coronary artery disease",
        "elevated blood pressure",
        "pedal edema",
        "heart murmur",
    ),
    "Respiratory": (
        "pneumonia",
        "wheezing",
        "respiratory failure",
        "pleural effusion",
        "chronic bronchitis",
        "low oxygen saturation",
        "obstructive lung disease",
        "chest tightness",
        "productive cough",
    ),
    "Renal": (
        "renal failure",
        "acute kidney injury",
        "chronic kidney disease",
        "elevated creatinine",
        "low urine output",
        "proteinuria",
        "periorbital edema",
        "kidney stone",
        "flank pain",
    ),
    "Diabetes": (
        "type two diabetes",
        "elevated glucose",
        "low blood sugar",
        "diabetic neuropathy",
        "diabetic retinopathy",
        "diabetic foot ulcer",
        "hyperglycemia",
        "increased thirst",
        "insulin resistance",
    ),
}

# What sort of finding each is; a patient does not deny a laboratory value.
SORTS = {
    **dict.fromkeys(("chest pain", "chest tightness", "productive cough", "flank pain"), "S"),
    **dict.fromkeys(("wheezing", "pedal edema", "periorbital edema", "low urine output"), "SE"),
    **dict.fromkeys(("increased thirst",), "S"),
    **dict.fromkeys(("elevated blood pressure", "heart murmur"), "E"),
    **dict.fromkeys(("elevated troponin", "elevated creatinine", "proteinuria"), "L"),
    **dict.fromkeys(("elevated glucose", "hyperglycemia"), "L"),
    **{"low oxygen saturation": "EL", "low blood sugar": "SL", "diabetic foot ulcer": "ED"},
}
# Findings that may be mild, new or severe.
GRADED = frozenset(
    (
        *("chest pain", "heart failure", "pericardial effusion", "pedal edema", "heart murmur"),
        *("pneumonia", "wheezing", "pleural effusion", "chest tightness", "productive cough"),
        *("renal failure", "proteinuria", "periorbital edema", "flank pain", "hyperglycemia"),
        *("diabetic neuropathy", "diabetic retinopathy", "diabetic foot ulcer"),
    )
)

#: How a mention's status is decided. ``plain``: asserted, no cue. ``before``, ``after``: negated by
#: a cue on that side. ``list``: negated by a cue that already covers another finding. ``ended``:
#: asserted, because a word such as *but* ends the reach of a cue. ``pseudo``: asserted, beside a
#: phrase that only looks like a negation.
KINDS = ("plain", "before", "list", "after", "ended", "pseudo")

# The groups are drawn with these weights.
WEIGHTS = {
    "plain": 0.32,
    "before": 0.16,
    "list": 0.06,
    "after": 0.15,
    "mixed": 0.17,
    "pseudo": 0.14,
}
STATEMENTS: dict[str, tuple[str, ...]] = {
    "plain": (
        "presents with {plain/SD} .",
        "reports {plain/S} and {plain/S} .",
        "{plain/E} noted on examination .",
        "history of {plain/D} .",
        "history of {plain/D} and {plain/D} .",
        "work up showed {plain/LD} .",
        "{plain/LD} confirmed on further testing .",
        "being treated for {plain/D} .",
        "labs and exam consistent with {plain/D} .",
        "{plain} is present today .",
        "assessment : {plain} , {plain} and {plain} .",
        "{plain/D} was diagnosed last week .",
    ),
    "before": (
        "[denies] {before/S} .",
        "[no] {before} .",
        "[no] {before} at this time .",
        "[no evidence of] {before/ELD} .",
        "[negative for] {before} .",
        "currently [without] {before} .",
        "testing [ruled out] {before/D} .",
        "[no signs of] {before/D} today .",
        "[free of] {before/S} since last visit .",
        "work up [fails to reveal] {before/LD} .",
        "[never had] {before/SD} .",
        "seen by the team overnight , [no] {before} .",
    ),
    "list": (
        "[denies] {before/S} , {list/S} or {list/S} .",
        "[denies] {before/S} or {list/S} .",
        "[no] {before} , {list} or {list} .",
        "[no evidence of] {before/ELD} or {list/ELD} .",
        "[negative for] {before} , {list} and {list} .",
        "[without] {before/S} or {list/S} on review of systems .",
    ),
    "after": (
        "{after/D} was [ruled out] .",
        "{after/D} is [unlikely] .",
        "{after/D} has been [excluded] .",
        "{after/ED} [not seen] .",
        "{after} is [not present] .",
        "{list/D} and {after/D} were [ruled out] .",
        "evaluated for {after/D} , which was [ruled out] .",
        "initial concern for {after/D} is now considered [unlikely] .",
        "testing for {after/LD} came back [negative] .",
        "{after/D} considered and [excluded] by the team .",
    ),
    "mixed": (
        "[denies] {before:0/S} [but] reports {ended:1/S} .",
        "[no] {before:0} [but] {ended:1} is present .",
        "[no evidence of] {before:0/ELD} , [however] {ended:1/ELD} was found .",
        "{after:0/D} was [ruled out] [but] {ended:1/SEL} persists .",
        "{after:0/D} is [unlikely] , [however] {ended:1/D} was confirmed .",
        "[negative for] {before:0} and {list:0} [but] positive for {ended:1} .",
        "[without] {before:0/S} [although] {ended:1/E} is noted .",
        "[no] {before:0} or {list:0} [except] {ended:1} .",
        "reports {plain/S} but [denies] {before/S} .",
        "{plain/LD} confirmed , however {after/D} is [unlikely] .",
        "{plain} is present but [no] {before} .",
        "being treated for {plain/D} although {after/D} was [ruled out] .",
    ),
    "pseudo": (
        "[no increase in] {pseudo/SE} since last visit .",
        "[no interval change in] {pseudo/ELD} .",
        "[no change in] {pseudo} .",
        "[not only] {pseudo} but also {pseudo} .",
        "walks [without difficulty] despite {pseudo/SD} .",
        "cultures [gram negative] , being treated for {pseudo/D} .",
        "{pseudo/SEL} has [not improved] .",
        "{pseudo/SEL} did [not resolve] with treatment .",
        "[no increase in] {pseudo:0/SE} and [denies] {before:1/S} .",
    ),
}

# Sentences about nothing that is coded; many hold a cue or a word of some finding.
REMARKS = (
    "no known drug allergies .",
    "denies tobacco use .",
    "denies recent travel .",
    "no acute distress .",
    "no recent falls .",
    "abdomen soft without tenderness .",
    "not on blood thinners .",
    "no change in medications .",
    "fracture was ruled out .",
    "infection is unlikely .",
    "stool test came back negative .",
    "surgery not planned .",
    "lives alone but has family support .",
    "eating well , however sleeping poorly .",
    "not only rested but also cheerful .",
    "vital signs stable .",
    "blood pressure checked twice .",
    "heart sounds normal .",
    "lungs clear to auscultation .",
    "chest film ordered .",
    "kidney function at baseline .",
    "urine sample sent .",
    "glucose checked daily .",
    "alert and oriented .",
)
SETTINGS = (
    "admitted from home .",
    "seen in clinic for follow up .",
    "brought in by family .",
    "transferred from another hospital .",
    "seen in the emergency department .",
    "here for routine visit .",
)
CLOSINGS = (
    "",
    "",
    "follow up in two weeks .",
    "discharged home in stable condition .",
    "continue current medications .",
    "plan discussed with family .",
    "will repeat labs tomorrow .",
)
AGES = ("45", "48", "52", "57", "61", "64", "68", "71", "75", "79", "83", "88")
PATIENTS = ("year old man", "year old woman")
MODIFIERS = (*[""] * 13, "mild", "new", "severe")

ORDINARY = Grammar(
    statements=STATEMENTS,
    weights=WEIGHTS,
    kinds=KINDS,
    remarks=REMARKS,
    settings=SETTINGS,
    closings=CLOSINGS,
    ages=AGES,
    patients=PATIENTS,
    modifiers=MODIFIERS,
    forms={},
    slots=3,
)
