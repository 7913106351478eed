"""Words and sentence templates of the generated corpus (see :mod:`course_utils.data.corpus`).

Everything here was written for this course; nothing comes from a patient. A finding is a tuple
of names for the same thing. ``{f}`` takes one finding, ``{L}`` a list of one to three, other slots
a word of ``SLOTS``. The sentences in ``SENSES`` come in two sets: the first is used in the corpus,
the second is kept back for testing, so that a model trained on the corpus has never read it.
"""

from __future__ import annotations

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

OPENERS = """{age} year old woman.
{age} year old man.
A {age} year old patient seen in the {ward}.
Seen by the {nurse} {time}.
Admitted to the {ward} {time}.
HISTORY:
Note of the {nurse}:
Chart reviewed.
Review of systems:
Day {n} on the {ward}.
Transferred from the {ward}.
Follow up visit.""".splitlines()

ASSERTED = """{who} reports {L}.
{who} complains of {L}.
{who} has {L}.
{who} presents with {L} {since}.
{who} was admitted with {L}.
{who} describes {sev} {f}.
{who} developed {f} {time}.
{who} has had {L} {since}.
{who} is troubled by {L}.
{who} has a history of {f}.
{test} shows {f}.
{test} confirmed {f}.
Exam is notable for {L}.
Positive for {L}.
Found to have {f} on {test}.
{f} is present.
{f} was found on {test}.
{f} is noted {since}.
{f} persists.
{f} is getting worse.
Known {f}.
{sev} {f} {since}.
Likely {f}.
{who} came to the {ward} with {L}.
{who} is bothered by {L}.
{who} noticed {f} {since}.
{who} felt {f} {time}.
{who} mentioned {L} to the {nurse}.
{who} is here because of {L}.
{who} called the {nurse} about {f}.
{who} gets {f} at night.
{who} now has {f}.
{who} had {f} {time} and rested.
The {kin} reports {f}.
The {nurse} saw {f} on exam.
{f} began {since}.
{f} came on {time}.
{f} was confirmed on {test}.
{f} is still there.
{f} is our main problem.
{f} was evident on {test}.
Treatment for {f} continues.
Persistent problem with {f}.
Evidence of {f} on {test}.
Signs of {f} on {test}.
Exam confirms {L}.
{test} found {f}.
Treated {time} for {f}.
Seen for {L}.
The {kin} noticed {L}.
When asked, {who_low} named {L}.
{L} was reported.
{L} were reported by the {kin}.
{f} is seen on {test}.
{f} is present {since}.
{f} is present per the {nurse}.
{f} has been confirmed by {test}.
The {nurse} confirmed {f}.
The {nurse} could hear of {f}.
{f} was present {time}.
{f} is likely.
{who} still suffers {since} from {L}.
{who} does mention {L}.
{who} woke up {time} and had {f}.
{who} has always had {L}.
{who} felt some {f} {since}.
{who} was often troubled by {L}.
The {kin} says that there was {f}.
Both {f} and {f}.
There has been {L} {since}.
Today {L}.
Now with {L}.
{test} revealed {f}.
{test} pointed to {f}.
{test} gave a sign of {f}.
{f} to be seen on {test}.
The {nurse} heard of {L}.
{f} remains {since}.
{f} remains a worry.
{who} is treated {since} for {f}.
{f} is present now.
{f} was present on arrival.
At present {L}.
As of now there is {f}.
{who} has had {L} since then.
{f} is rather likely.
{f} is likely per the {nurse}.
Now {who_low} has {f}.
{who} has {L} at present.
{test} positive for {f}.
{f} was felt {time}.
{f} was seen.""".splitlines()

PSEUDO = """No increase in {f}.
No interval change in {f}.
No change in the known {f}.
{who} has not only {f} but also {f}.
Not only {f} but {f} as well.
{f} has not been ruled out.
{f} cannot be ruled out.
No relief of {f} so far.
No improvement of {f} with {drug}.
Without difficulty {who_low} described {f}.
Gram negative {f} was treated.
{f} did not go away.
{f} was not excluded by {test}.
No decrease in {f} {since}.
No reason found for the {f}.
{who} is not free of {f}.
Without treatment the {f} got worse.
No doubt about {f} on {test}.
{f} could not be excluded.
The {nurse} could not rule out {f}.
{test} could not rule out {f}.
It could not be ruled out that {who_low} has {f}.
No less {f} than before.
No increase or decrease of {f}.""".splitlines()

NEGATED = """{who} denies {L}.
{who} denies any {L}.
{who} has no {L}.
{who} had no {L}.
{who} is without {L}.
{who} is free of {L}.
{who} never had {L}.
{who} does not have {L}.
{who} has no history of {L}.
{who} does not report {L}.
No {L}.
No evidence of {L}.
No sign of {f} on {test}.
No complaints of {L}.
Negative for {L}.
Absence of {L}.
{test} shows no {f}.
{test} fails to reveal {f}.
{test} is negative for {f}.
Exam without {L}.
{f} was ruled out.
{f} was ruled out by {test}.
{f} is unlikely.
{f} is absent.
{f} was not found.
{f} was not seen on {test}.
{f} has been excluded.
{f}: none.
{who} denied any {L} {time}.
{who} denied having {L}.
{who} denies having had {L}.
{who} reports no {L}.
{who} mentioned no {L} to the {nurse}.
{who} came to the {ward} without {L}.
{who} is not bothered by {f}.
{who} has not noticed {f} {since}.
{who} never gets {f} at night.
{who} now has no {f}.
{who} did not have any {L} {time}.
{who} was without {f} {time}.
{who} remained free of {L} {since}.
The {kin} reports no {f}.
The {nurse} saw no {f} on exam.
There was no {L} on arrival.
There are no signs of {L}.
{f} is not present on {test}.
{f} is no longer present.
{f} could be ruled out by the {nurse}.
{f} was excluded on {test}.
{f} was not confirmed on {test}.
{f} was absent {time}.
{f} seems very unlikely.
{test} found no {f}.
{test} was without {f}.
Without any {L} {since}.
Not any {L} on exam.
The {kin} denied {L}.
When asked, {who_low} denied {L}.
{L} was denied.
{L} were denied by the {kin}.
{f} is not seen on {test}.
{f} is absent {since}.
{f} is absent per the {nurse}.
{f} has been excluded by {test}.
The {nurse} excluded {f}.
The {nurse} could rule out {f}.
{f} was not present {time}.
{f} is not likely.
{who} does not suffer from {L}.
{who} does not mention {L}.
{who} woke up {time} and had no {f}.
{who} has never had {L}.
{who} felt no {f} {since}.
{who} was never troubled by {L}.
The {kin} says that there was no {f}.
Neither {f} nor {f}.
There has been no {L} {since}.
Today no {L}.
Now without {L}.
{test} excluded {f}.
{test} ruled out {f}.
{test} gave no sign of {f}.
No {f} to be seen on {test}.
The {nurse} heard of no {L}.
{f} is not present.
{f} was not present on arrival.
At present no {L}.
As of now there is no {f}.
{who} has had no {L} since then.
{f} is rather unlikely.
{f} is unlikely per the {nurse}.
Now {who_low} has no {f}.
{who} has no {L} at present.
{test} negative for {f}.
{f} was not felt {time}.
{f} was not seen.""".splitlines()

# {-} is a list under negation, {+} one that is asserted.
MIXED = """{who} denies {-} but reports {+}.
{who} denies {-}, however {+} is present.
{who} reports {+} but denies {-}.
{who} has {+} but no {-}.
{who} has {+} without {-}.
{who} has no {-} although {+} was found.
{who} has no {-} except {+}.
No {-} but {+} {since}.
No {-}, however {+} persists.
No {-} aside from {+}.
No {-} except for {+}.
Negative for {-}, positive for {+}.
Positive for {+}, negative for {-}.
{test} shows {+} but no {-}.
{test} shows no {-}, although {+} is noted.
{+} secondary to {drug}, no {-}.
No {-}, {+} secondary to {drug}.
{-} was ruled out but {+} was found.
{+} is present, {-} is absent.
{+} is noted, {-} is unlikely.
{who} came with {+}, and {-} was ruled out.""".splitlines()

NEUTRAL = """A leaflet about {f} was handed out.
The {nurse} gave a talk on {f}.
Lecture on {f} for students.
Asked about {f}.
Study of {f} is open in the {ward}.
Clinic for {f} moved to room {n}.
Guideline on {f} updated.
Coded under {f}.
The article compares {f} and {f}.
Form lists {f}, {f} and {f}.
Questionnaire on {f} and {f}.
The term {f} was explained.""".splitlines()

FILLERS = """Given {drug}.
{drug} was started {time}.
{drug} was stopped.
Blood pressure 130 over 80.
Heart rate {n} above normal.
Seen with {kin}.
Lives with {kin}.
Works in an office.
Allergic to {drug}.
The {side} {part} was examined.
Next visit in {n} weeks.
Sleeping well.
Past history: {term}.
{term} {time}.
Seen for {term}.
There is a new {nurse} in the {ward}.
There is no window in the room.
{who} came in with the {kin}.
{who} woke up early.
{who} mentions the {kin}.
The {kin} remains at home.
The {kin} says that the food is good.
We are told to wait, now and today.
{who} still likes having any visitors.
Sleep is worse because of the noise.
{drug} was treated as a problem.
{who} feels very well and suffers little.
Discussed with the {nurse}.""".splitlines()

# What may stand before a finding, before a sentence and at its end, whatever the status.
MODIFIERS = """new|recent|further|mild|severe|acute|chronic|marked|significant|ongoing
obvious|slight|current|similar|typical""".replace("\n", "|").split("|")
BEFORE = """At the moment|Currently|On review|Per the {kin},|On arrival|As before,|By now
This week|In the {ward}|According to the {nurse}|Again,|At night""".replace("\n", "|").split("|")
BEHIND = """today|at this time|so far|on exam|per the {kin}|at night|in the {ward}|these days
according to the {nurse}|again|at rest|on arrival|as before""".replace("\n", "|").split("|")

# A form that states once more, before or behind the text, what the text says of its findings.
FORMS = """Checklist: {}.
In short: {}.
Form: {}.
Summary: {}.
Ticked boxes: {}.
Problem list: {}.""".splitlines()
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
SENSES: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    word: {
        sense: tuple(
            [line.strip() for line in part.strip().splitlines()] for part in text.split("==")
        )  # type: ignore[misc]
        for sense, text in senses.items()
    }
    for word, senses in {
        "cold": {
            "illness": """{who} caught a cold {time}.
{who} has a cold with a runny nose and sneezing.
A common cold {since}, the nose is blocked.
The {kin} had a cold last week too.
{who} thinks it is just a cold or the flu.
Likely a viral cold, rest and fluids advised.
{who} took a tablet for the cold.
Sneezing and a cold {since}.
{who} is recovering from a cold.
The cold went away without antibiotics.
{who} gets a cold every winter.
Head cold with a blocked nose.
A bad cold kept {who_low} off work.
Symptoms of a cold, probably a virus.
The {kin} has had the flu, now {who_low} has a cold.
It looks like a viral cold with a blocked nose.
A cold that got better without tablets.
Runny nose and sneezing, a common cold.
{who} stayed at home with a cold {since}.
A cold was going around, probably a virus.
Rest and fluids for the cold.
{who} picked the {kin} up and caught the cold too.
==
{who} picked up a cold from the {kin}.
Runny nose {since}, it looks like a cold.
A viral cold was going around the {ward}.
{who} stayed off work with a cold and a blocked nose.
Sneezing, most likely a common cold.
{who} had the flu and then a cold.
The cold got better with rest and fluids.
{who} asked for antibiotics for a cold.""",
            "temperature": """The {side} {part} felt cold to the touch.
A cold pack was put on the {part}.
{who} washed with cold water.
The room was cold and the window open.
Hands and feet are cold and pale.
Cold air in winter, the skin is dry.
The skin is cold and clammy.
A cold compress on the {side} {part}.
{who} sleeps in a cold house.
The {part} is pale, cold and without pulse.
{who} drank a glass of cold water.
{who} fell into cold water {time}.
The blanket was cold and wet.
Keep the sample cold on ice.
The {part} is cold and the pulse is weak.
The feet feel cold and clammy.
Wet and cold after an hour in the rain.
Cold water was poured on the {side} {part}.
The house is cold, the heating is broken.
Ice and cold packs help the {part}.
The skin below the {part} is pale and cold.
A cold and dry wind on the skin.
==
The {part} was cold and pale below the cast.
{who} put cold water on the burn.
Ice and a cold pack on the {side} {part}.
The skin of the {part} is dry and cold.
{who} was left in the cold and wet room.
The house was cold with no heating.
Clammy skin, cold to the touch.
The feet are cold, pulse is weak.""",
        },
        "discharge": {
            "leaving": """{who} is ready for discharge home today.
The discharge letter was sent to the {nurse}.
Plan discharge tomorrow with follow up in {n} days.
The {kin} will be here for the discharge.
discharge instructions were given to the {kin}.
The discharge summary was signed by the {nurse}.
On discharge {who_low} went to a nursing home.
{drug} to be taken after discharge from the {ward}.
The discharge was delayed until Monday.
Social worker to arrange discharge home.
The date of discharge is not yet known.
Medication at discharge: {drug}.
discharge from the {ward} on Friday.
{who} asked for early discharge against advice.
The {nurse} wrote the discharge letter, transport is booked.
After discharge {who_low} lives at home with the {kin}.
{who} is fit for discharge home with follow up.
Plan: discharge to the nursing home tomorrow.
{drug} for {n} days after the discharge.
The {kin} was told the date of discharge.
discharge on Monday, clinic in {n} weeks.
Early discharge is planned by the {nurse}.
==
Fit for discharge tomorrow, the {kin} was told.
{nurse} to write the discharge summary today.
After discharge {who_low} lives with {kin}.
The plan is discharge to a nursing home on Monday.
Take {drug} for {n} days after discharge.
Transport home was booked for the discharge.
Early discharge with follow up at the clinic.
The {kin} signed the discharge letter.""",
            "fluid": """Yellow discharge from the wound of the {side} {part}.
Foul smelling discharge at the wound.
Purulent discharge from the {side} ear.
The eye is red with sticky discharge.
Nasal discharge, thick and green.
Bloody discharge on the dressing.
A swab of the discharge grew {bug}.
The wound is dry, clear discharge has stopped.
The discharge from the nose is thick and yellow.
Watery discharge of the {side} eye {since}.
The dressing was wet with discharge.
Pus and discharge from the incision.
Brown discharge with a bad smell.
The incision is red with purulent discharge.
Redness of the wound and clear discharge.
The swab of the wound discharge was sent.
Both eyes are sticky with yellow discharge.
Bloody discharge soaked the dressing.
Thick green discharge and a foul smell.
Discharge like pus from the {side} {part}.
The nose is red with watery discharge.
Purulent discharge was found around the incision.
==
Green discharge from the {side} ear, swab taken.
The dressing was soaked with bloody discharge.
Sticky yellow discharge in both eyes.
The incision has clear discharge and redness.
Thick discharge from the nose {since}.
A foul smell and discharge from the wound.
The swab of the purulent discharge was sent.
Pus like discharge around the {side} {part} wound.""",
        },
        "drain": {
            "tube": """The chest drain was removed {time}.
The drain put out {n} ml overnight.
A surgical drain was left in the {part}.
The drain is in place and bubbling.
The {nurse} checked the drain site.
The drain is blocked by a clot.
A second drain was inserted on the {side}.
Output of the drain fell to {n} ml.
The drain was pulled and the skin closed.
Stitch around the drain is loose.
The drain came out by accident.
A drain with suction was sewn to the skin.
Dressing at the drain changed by the {nurse}.
The tube of the drain was flushed.
The drain was taken out and the site is clean.
{n} ml of fluid in the drain {since}.
The {nurse} flushed the drain, a clot came out.
The drain on the {side} was sewn in place.
Output of the chest drain is low.
The surgical drain stays for {n} days.
After the operation a drain was in the {part}.
Suction was put on the chest drain.
==
{n} ml came from the drain {time}.
The {side} chest drain is bubbling again.
The surgical drain was taken out by the {nurse}.
The drain site is clean, stitch in place.
A drain was sewn in after the operation.
Suction on the drain was stopped.
The drain was flushed because of a clot.
Low output, so the drain was removed.""",
            "to empty": """We had to drain the abscess of the {side} {part}.
The {nurse} will drain the fluid with a needle.
Incise and drain the abscess.
A needle was used to drain the {part}.
Plan to drain the fluid in the abdomen.
The cyst was too small to drain.
A catheter was placed to drain the bladder.
Attempt to drain the joint was not successful.
The sinus does not drain well.
The wound was left open to drain.
It was decided to drain the pus.
Try to drain the cyst under local anesthesia.
The veins drain into the liver.
The surgeon wants to drain the collection.
They had to drain the deep abscess.
The abscess was opened, it will drain.
It was hard to drain the fluid.
The {nurse} made an incision to drain the pus.
We could drain the joint with a needle.
The plan is to drain the bladder.
They try to drain the collection of the {part}.
The cyst of the {side} {part} needs to drain.
==
The surgeon had to drain the pus from the {part}.
They will drain the bladder with a catheter.
Under local anesthesia we could drain the abscess.
The plan is to drain the cyst with a needle.
The collection is too deep to drain.
The abscess was opened to drain.
The joint fluid was hard to drain.
Incision was made to drain the {side} {part}.""",
        },
        "positive": {
            "test result": """The blood test came back positive.
The swab was positive for {bug}.
The culture is positive for {bug}.
Troponin was positive {time}.
The pregnancy test was positive.
A positive result was sent from the laboratory.
Urine is positive for nitrite.
The rapid test is positive for influenza.
Screening was positive and will be repeated.
The stool sample was positive for blood.
The antibody was positive at a high titer.
The viral test turned positive {time}.
Two of three samples are positive.
HIV test positive, confirmed by the laboratory.
The laboratory reported a positive sample.
A swab from the {part} came back positive.
The screening test turned positive for {bug}.
The repeat sample was positive.
A positive urine test was called in by the laboratory.
The influenza test was positive {time}.
Stool and urine are positive for {bug}.
The troponin came back positive.
==
The sample from the {part} was positive for {bug}.
The laboratory called with a positive result.
A repeat test was positive {time}.
The urine screening came back positive.
The antibody test is positive.
The stool was positive for {bug}.
A positive influenza swab was reported.
The troponin sample turned positive.""",
            "outlook": """{who} has a positive attitude.
{who} feels positive about the future.
The {kin} is positive and hopeful.
The mood is positive and cheerful.
A positive outlook helps {who_low} in therapy.
{who} had a positive experience with the therapist.
{who} gets positive support from the {kin}.
The therapist praised the positive thinking.
{who} tries to stay positive and calm.
The talk ended on a positive note.
{who} was positive about going back to work.
A warm and positive relationship with the {kin}.
{who} is motivated and positive about rehab.
The feedback of the {kin} was positive.
{who} spoke with hope and is positive.
Positive thoughts about the future help {who_low}.
{who} is cheerful and has positive feelings.
The therapist found {who_low} calm and positive.
Support from the {kin} keeps {who_low} positive.
The {nurse} is positive about the therapy.
A positive relationship with the therapist.
Mood and attitude are positive.
==
{who} is calm and positive about therapy.
The {kin} has a positive and cheerful outlook.
{who} spoke of positive feelings for the future.
A positive mood, {who_low} is hopeful.
The {nurse} gave positive feedback.
{who} stays positive with support from the {kin}.
{who} is motivated and has positive thoughts.
The relationship with the {kin} is positive.""",
        },
        "negative": {
            "test result": """The blood test came back negative.
The swab was negative for {bug}.
The culture is negative so far.
Troponin was negative {time}.
The pregnancy test was negative.
A negative result was sent from the laboratory.
Urine is negative for nitrite.
The rapid test is negative for influenza.
Screening was negative and will be repeated.
The stool sample was negative for blood.
The antibody was negative at a low titer.
The viral test turned negative {time}.
Two of three samples are negative.
HIV test negative, confirmed by the laboratory.
The laboratory reported a negative sample.
A swab from the {part} came back negative.
The screening test turned negative for {bug}.
The repeat sample was negative.
A negative urine test was called in by the laboratory.
The influenza test was negative {time}.
Stool and urine are negative for {bug}.
The troponin came back negative.
==
The sample from the {part} was negative for {bug}.
The laboratory called with a negative result.
A repeat test was negative {time}.
The urine screening came back negative.
The antibody test is negative.
The stool was negative for {bug}.
A negative influenza swab was reported.
The troponin sample turned negative.""",
            "outlook": """{who} has a negative attitude.
{who} feels negative about the future.
The {kin} is negative and hopeless.
The mood is negative and sad.
A negative outlook slows {who_low} in therapy.
{who} had a negative experience with the therapist.
{who} hears negative comments from the {kin}.
The therapist works on the negative thinking.
{who} is often negative and anxious.
The talk ended on a negative note.
{who} was negative about going back to work.
A tense and negative relationship with the {kin}.
{who} is tired and negative about rehab.
The feedback of the {kin} was negative.
{who} spoke without hope and is negative.
Negative thoughts about the future trouble {who_low}.
{who} is sad and has negative feelings.
The therapist found {who_low} tense and negative.
Comments from the {kin} keep {who_low} negative.
The {nurse} is negative about the therapy.
A negative relationship with the therapist.
Mood and attitude are negative.
==
{who} is anxious and negative about therapy.
The {kin} has a negative and sad outlook.
{who} spoke of negative feelings for the future.
A negative mood, {who_low} is hopeless.
The {nurse} gave negative feedback.
{who} is negative after comments from the {kin}.
{who} is sad and has negative thoughts.
The relationship with the {kin} is negative.""",
        },
        "culture": {
            "microbiology": """The blood culture grew {bug}.
A urine culture was sent to the laboratory.
The wound culture is pending.
The culture showed no growth after {n} days.
Sputum culture taken before antibiotics.
culture and sensitivity: {bug} sensitive to {drug}.
The culture from the catheter grew {bug}.
A stool culture was ordered {time}.
Repeat the blood culture tomorrow.
{drug} was changed after the culture.
The culture of the swab was contaminated.
Final culture: {bug}.
Two sets of blood culture were drawn.
Growth in the culture after {n} hours.
The tip of the catheter was sent for culture.
Antibiotics were given before the culture was drawn.
The laboratory reports growth of {bug} in the culture.
A second culture is sensitive to {drug}.
No growth in the sputum culture.
We wait for the final culture and sensitivity.
The urine culture was contaminated.
culture of the {part} wound: {bug}.
==
The sputum culture grew {bug} {time}.
A wound culture was sent before {drug}.
No growth in the urine culture after {n} days.
The laboratory reports a contaminated culture.
Antibiotics wait until the culture is final.
The culture of the catheter tip is pending.
{bug} in the second culture, sensitive to {drug}.
Blood culture drawn from the {side} {part}.""",
            "society": """The {kin} explained the customs of their culture.
In her culture the {kin} decides.
The safety culture of the {ward} is improving.
{who} grew up in another culture and language.
An interpreter explained culture and religion.
Food and culture matter to {who_low}.
Respect for the culture of the family.
The culture of the team is open.
Their culture does not allow it, the {kin} said.
{who} misses the music and culture of home.
Training on culture and language for staff.
Religion and culture were discussed with the {kin}.
A culture of blame in the team.
The culture at work is stressful.
The {kin} knows the customs and the culture.
{who} spoke about food and culture at home.
Religion, music and language belong to the culture.
The staff respected the culture of the {kin}.
Open talk is part of the culture of the team.
Staff training: culture and customs.
The safety culture of the team was discussed.
The interpreter is from the same culture.
==
The {kin} spoke about religion in their culture.
The interpreter knows the language and culture.
Staff training on safety culture in the {ward}.
In this culture the food is prepared by the {kin}.
The customs and culture of the {kin} were respected.
{who} values the culture of home.
An open culture in the {ward} team.
The culture at work was discussed with staff.""",
        },
        "lead": {
            "electrode": """The ECG shows ST elevation in lead two.
The pacemaker lead was replaced.
A loose lead on the monitor was fixed by the {nurse}.
Twelve lead ECG was done {time}.
The ventricular lead is in place on the film.
The atrial lead has lost capture.
T wave inversion in lead three.
The lead of the defibrillator is broken.
An infected pacemaker lead was removed.
The chest lead fell off the skin.
The lead shows good sensing and threshold.
Rhythm strip from lead two.
The monitor reads lead off.
Fracture of the pacing lead on the film.
A tracing of lead two was sent.
The monitor alarm: one lead is off the chest.
ST depression in the chest lead.
The atrial lead of the pacemaker is loose.
The {nurse} put a new lead on the skin.
The threshold of the ventricular lead is high.
The film shows the pacing lead in place.
The lead was fixed, capture is good.
==
The pacing lead lost capture {time}.
ST depression in one lead of the ECG.
The {nurse} put the chest lead back on.
The defibrillator lead was replaced.
A twelve lead tracing was sent to the {nurse}.
The threshold of the atrial lead is good.
The monitor alarm was a loose lead.
On the film the ventricular lead is broken.""",
            "metal": """{who} was exposed to lead paint at home.
The blood level of lead was high.
lead poisoning from old pipes.
The child ate chips of lead paint.
Chelation was given for lead.
{who} works with lead in a battery plant.
Water from old pipes contains lead.
Toxic metals such as lead and mercury.
lead dust at work is a risk.
Screening of children for lead.
{who} melts lead to make bullets.
The lead level fell after chelation.
The old house has lead pipes.
Exposure to lead and arsenic at the plant.
The children were exposed to lead in the paint.
The blood has a toxic level of lead.
Old pipes, lead in the water.
Dust of lead from the battery plant.
Poisoning with lead and mercury.
{who} was given chelation because of lead.
Paint with lead in an old house.
A high level of lead was found in the child.
==
The water of the old house contains lead.
{who} has a high lead level from paint.
Chelation for poisoning with lead.
The battery plant has lead dust.
Mercury and lead were found in the blood.
Children in the house were exposed to lead.
lead from the old pipes is toxic.
{who} works with paint that has lead.""",
        },
        "stable": {
            "condition": """{who} is stable on the {ward}.
Vital signs are stable.
The blood pressure is stable on {drug}.
The condition remains stable overnight.
Hemodynamically stable and comfortable.
Weight is stable {since}.
The nodes on the scan are stable in size.
Renal function is stable.
{who} is stable for transfer to the {ward}.
The rhythm was stable all night.
Hemoglobin is stable after the operation.
The lesion is stable on MRI.
Oxygen is stable on room air.
The heart rate stays stable with {drug}.
Blood pressure and pulse were stable {since}.
The scan is stable, no new lesion.
{who} is comfortable, vital signs are stable.
Renal function and weight remain stable.
The nodes are stable on CT.
Stable after the operation, transfer planned.
Heart rhythm is stable on {drug}.
Oxygen and hemoglobin are stable.
==
The weight and blood pressure are stable.
Overnight the condition was stable.
Renal function is stable on {drug}.
The lesion on the scan is stable in size.
{who} is comfortable and stable after the operation.
Vital signs stable, transfer to the {ward}.
Hemoglobin remains stable {since}.
The rhythm is stable on room air.""",
            "horses": """{who} was kicked by a horse in the stable.
{who} works in a stable with horses.
{who} fell from a ladder in the stable.
Hay and dust in the stable.
The stable of the farm burned down.
{who} cleans the stable every morning.
The horse stepped on the {part} in the stable.
{who} keeps two ponies in the stable.
A fall in the stable on the farm.
{who} rides a horse and sleeps near the stable.
Straw from the stable in the wound.
The stable door hit the {side} {part}.
{who} was found in the stable by the {kin}.
Farm work, mostly in the stable with animals.
The ponies and the horse are in the stable.
{who} feeds the animals in the stable.
The floor of the stable is wet, {who_low} fell.
Hay and straw on the stable floor.
The {kin} has a farm with a stable.
The door of the old stable is broken.
Kicked in the {part} by a horse in the stable.
{who} slept in the stable on the hay.
==
A horse kicked {who_low} in the stable.
Dust and straw in the stable on the farm.
{who} feeds the ponies in the stable every morning.
The door of the stable hit the {part}.
{who} fell in the stable and hit the {part}.
The {kin} has a stable with two horses.
Animals in the stable, hay on the floor.
{who} slept in the stable near the horse.""",
        },
    }.items()
}

# Sentences for testing negation at the finding; none of them is used in the corpus.
HELD_OUT_ASSERTED = """We are told that {who_low} has {f} now.
{who} mentions {f} {since}.
{who} suffers from {f}.
Today there is {f}.
There is {sev} {f} on {test}.
{who} woke up with {f} {time}.
{who} came in because of {f}.
{f} was seen on {test}.
{f} started {time}.
{f} remains a problem.
No increase of the {f} {since}.
{f} could not be ruled out on {test}.
The {kin} says that {who_low} has {f}.
{test} was positive for {f}.
The {nurse} found {f} on exam.
{who} still has {f}.
{who} was treated for {f} {time}.
Now {f} is worse.
{f} was confirmed by the {nurse}.
{who} feels {f} {since}.""".splitlines()

HELD_OUT_NEGATED = """We are told that {who_low} has no {f} now.
{who} mentions no {f} {since}.
{who} denied {f}.
Today there is no {f}.
There is no evidence of {f} on {test}.
{who} woke up without {f} {time}.
{who} came in and never had {f}.
{f} was not seen by the {nurse}.
{f} was ruled out {time}.
{f} is very unlikely.
No sign of any {f} {since}.
{f} is absent on {test}.
The {kin} says that {who_low} has no {f}.
{test} was negative for {f}.
The {nurse} found no {f} on exam.
{who} does not have any {f}.
{who} was free of {f} {time}.
Now {f} is not present.
{f} was excluded by the {nurse}.
{who} denies having {f} {since}.""".splitlines()
