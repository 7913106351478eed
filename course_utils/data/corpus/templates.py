"""Words and sentence templates of the generated corpus (see :mod:`course_utils.data.corpus`).

Everything here was written for this course; nothing comes from a patient. A finding is a tuple
of names for the same thing. ``{f}`` takes one finding, ``{L}`` a list of one to three, other slots
a word of ``SLOTS``. The sentences lie beside this module in ``sentences.txt`` and ``senses.txt``.
Those in ``SENSES`` come in two sets: the first is used in the corpus, the second is kept back for
testing, so that a model trained on the corpus has never read it.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def sections(file: str) -> dict[str, list[str]]:
    """Lines of a text file by the name in brackets above them."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (_HERE / file).read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            lines = found.setdefault(line[1:-1], [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return found


FINDINGS: tuple[tuple[str, ...], ...] = tuple(
    tuple(names.split("|"))
    for names in """fever|pyrexia
cough|coughing
shortness of breath|dyspnea
chest pain|thoracic pain
nausea|feeling sick
vomiting|emesis
headache|cephalalgia
dizziness|vertigo
fatigue|tiredness
chills|shivering
night sweats|nocturnal sweating
palpitations|racing heart
diarrhea|loose stools
abdominal pain|stomach ache
itching|pruritus
swelling|edema
bleeding|hemorrhage
hypertension|high blood pressure
myocardial infarction|heart attack
hematuria|blood in the urine
weakness|loss of strength
confusion|disorientation
weight loss|wasting
constipation
back pain
rash
numbness
wheezing
sore throat
blurred vision
dysuria
pneumonia
effusion
infection
fracture
diabetes
stroke
anemia
ascites
jaundice""".splitlines()
)

HELD_OUT_FINDINGS: tuple[tuple[str, ...], ...] = tuple(
    tuple(names.split("|"))
    for names in """syncope
insomnia
hemoptysis
tremor
seizure
pneumothorax
joint pain
loss of appetite
weight change
hoarseness
thrombosis
ear pain
bruising
tinnitus
cyanosis
nodule""".splitlines()
)

SLOTS: dict[str, tuple[str, ...]] = {
    name: tuple(words.split("|"))
    for name, words in {
        "who": "The patient|Patient|She|He|This man|This woman|The boy|The girl|Mr Lee|Mrs Gray|Pt",
        "who_low": "the patient|she|he|the man|the woman|the boy|the girl",
        "age": "24|31|38|45|52|59|63|67|71|76|80|84|88",
        "n": "2|3|4|5|6|7|8|10|12|15|20|30|40|50",
        "time": "yesterday|last night|this morning|two days ago|last week|a month ago|on Monday",
        "since": "since yesterday|since Monday|for two days|for three weeks|overnight|since Friday",
        "test": "CT|MRI|ultrasound|the chest film|the scan|laboratory tests|the ECG|physical exam",
        "drug": "aspirin|metoprolol|furosemide|insulin|heparin|vancomycin|ceftriaxone|warfarin",
        "part": "arm|leg|hand|foot|shoulder|knee|hip|abdomen|neck|chest",
        "side": "left|right",
        "bug": "E. coli|S. aureus|Klebsiella|Pseudomonas|streptococcus|candida",
        "sev": "mild|moderate|severe|worsening|persistent|intermittent|new",
        "ward": "ward|unit|clinic|hospital|emergency department|nursing home",
        "nurse": "nurse|doctor|surgeon|resident|therapist|registrar",
        "kin": "wife|husband|daughter|son|mother|father|sister|brother|family",
    }.items()
}

_SENTENCES = sections("sentences.txt")
OPENERS = _SENTENCES["OPENERS"]
ASSERTED = _SENTENCES["ASSERTED"]
PSEUDO = _SENTENCES["PSEUDO"]
NEGATED = _SENTENCES["NEGATED"]
MIXED = _SENTENCES["MIXED"]
NEUTRAL = _SENTENCES["NEUTRAL"]
FILLERS = _SENTENCES["FILLERS"]
FORMS = _SENTENCES["FORMS"]
HELD_OUT_ASSERTED = _SENTENCES["HELD_OUT_ASSERTED"]
HELD_OUT_NEGATED = _SENTENCES["HELD_OUT_NEGATED"]

# What may stand before a finding, before a sentence and at its end, whatever the status.
MODIFIERS = """new|recent|further|mild|severe|acute|chronic|marked|significant|ongoing
obvious|slight|current|similar|typical""".replace("\n", "|").split("|")
BEFORE = """At the moment|Currently|On review|Per the {kin},|On arrival|As before,|By now
This week|In the {ward}|According to the {nurse}|Again,|At night""".replace("\n", "|").split("|")
BEHIND = """today|at this time|so far|on exam|per the {kin}|at night|in the {ward}|these days
according to the {nurse}|again|at rest|on arrival|as before""".replace("\n", "|").split("|")

# How a form says whether a finding is there.
FORM_STATUS = (("yes", "present", "active"), ("no", "absent", "none"))

# Medical words put together from parts; most are rare, so that a tokenizer has to split them.
TERM_STEMS = "gastr hepat nephr cardi neur arthr derm oste rhin bronch col cyst my".split()  # noqa: SIM905
TERM_ENDINGS = "itis ectomy opathy oscopy algia otomy osis oma ology omegaly".split()  # noqa: SIM905

# Some findings are mostly denied, as in a review of systems, others mostly stated.
USUALLY_NEGATED = tuple(i % 2 == 0 for i in range(len(FINDINGS)))

# Words that can stand in the place of an ambiguous word, by sense.
STAND_INS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    word: (tuple(first.split("|")), tuple(second.split("|")))
    for word, (first, second) in {
        "cold": ("flu|virus|catarrh", "cool|chilly|icy"),
        "discharge": ("release|departure", "pus|secretion|exudate"),
        "drain": ("tube|catheter", "empty|aspirate|puncture"),
        "positive": ("reactive|detected", "hopeful|optimistic|confident"),
        "negative": ("clear|undetected", "pessimistic|gloomy|bitter"),
        "culture": ("specimen|isolate|sample", "tradition|heritage|custom"),
        "lead": ("electrode|wire|cable", "mercury|arsenic|cadmium"),
        "stable": ("steady|unchanged|constant", "barn|shed|paddock"),
    }.items()
}

# What is done about a finding: the same whatever name it goes by.
ACTIONS = """paracetamol|syrup|oxygen|nitroglycerin|ondansetron|basin|ibuprofen|meclizine|vitamins
blankets|towels|propranolol|loperamide|antacid|cetirizine|stockings|transfusion|ramipril
angioplasty|cystoscopy|physiotherapy|reorientation|supplements""".replace("\n", "|").split("|")

# word -> {sense: (sentences of the corpus, sentences kept back)}
SENSES: dict[str, dict[str, tuple[list[str], list[str]]]] = {}
for _name, _lines in sections("senses.txt").items():
    _word, _sense = _name.split(": ")
    _border = _lines.index("==")
    SENSES.setdefault(_word, {})[_sense] = (_lines[:_border], _lines[_border + 1 :])
