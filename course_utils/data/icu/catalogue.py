"""What can happen in a synthetic ICU stay: laboratory items, drugs, procedures, cultures, causes.

Item numbers and labels follow MIMIC-IV's dictionaries where it has the item. Reference ranges are
typical for adults. The effects of the causes are invented: they make the lesson checkable and say
nothing about real patients.
"""

from __future__ import annotations

WINDOW_MINUTES = 2880
EVENT_TYPES = ("prescription", "procedure", "lab", "microbiology", "ingredient")

#: itemid, label, unit, decimals, reference low and high, mean and deviation of the drawn values
LABS = (
    (50983, "Sodium", "mEq/L", 0, 133, 145, 139, 4),
    (50971, "Potassium", "mEq/L", 1, 3.3, 5.1, 4.2, 0.5),
    (50902, "Chloride", "mEq/L", 0, 96, 108, 103, 5),
    (50882, "Bicarbonate", "mEq/L", 0, 22, 32, 25, 4),
    (51006, "Urea Nitrogen", "mg/dL", 0, 6, 20, 22, 9),
    (50912, "Creatinine", "mg/dL", 1, 0.5, 1.1, 1.1, 0.4),
    (50931, "Glucose", "mg/dL", 0, 70, 105, 128, 35),
    (51222, "Hemoglobin", "g/dL", 1, 12, 16, 10.5, 1.8),
    (51301, "White Blood Cells", "K/uL", 1, 4, 11, 10.5, 3.5),
    (51265, "Platelet Count", "K/uL", 0, 150, 440, 210, 70),
    (50820, "pH", "units", 2, 7.35, 7.45, 7.38, 0.05),
    (50818, "Calculated pCO2", "mm Hg", 0, 35, 45, 41, 6),
    (50821, "pO2", "mm Hg", 0, 85, 105, 105, 30),
    (50813, "Lactate", "mmol/L", 1, 0.5, 2.0, 1.5, 0.8),
    (51237, "INR(PT)", None, 1, 0.9, 1.1, 1.3, 0.25),
    (52999, None, None, 0, 0, 9, 5, 2),  # an item that its dictionary does not know
)
LACTATE = 13
UNKNOWN_VALUE = -(2**31)  # a laboratory value that was not written down
#: Background lactate ends at 3.4 mmol/L: often flagged abnormal, never one of the causes.
LACTATE_BACKGROUND_MAX = 3.4

#: drug, dose, unit, route
DRUGS = (
    ("Heparin", "5000", "UNIT", "SC"),
    ("Furosemide", "20", "mg", "IV"),
    ("Furosemide", "40", "mg", "IV"),
    ("Metoprolol Tartrate", "25", "mg", "PO/NG"),
    ("Insulin", "2-10", "UNIT", "SC"),
    ("Pantoprazole", "40", "mg", "IV"),
    ("Acetaminophen", "650", "mg", "PO/NG"),
    ("Potassium Chloride", "40", "mEq", "IV"),
    ("Magnesium Sulfate", "2", "gm", "IV"),
    ("Propofol", "5-50", "mcg/kg/min", "IV DRIP"),
    ("Fentanyl Citrate", "25", "mcg", "IV"),
    ("0.9% Sodium Chloride", "1000", "mL", "IV"),
    ("Senna", "1", "TAB", "PO"),
    ("Docusate Sodium", "100", "mg", "PO"),
    ("Ondansetron", "4", "mg", "IV"),
    ("CefTRIAXone", "1", "gm", "IV"),
    ("Piperacillin-Tazobactam", "4.5", "g", "IV"),
    ("Aspirin", "81", "mg", "PO"),
    ("Atorvastatin", "40", "mg", "PO"),
    ("Albuterol 0.083% Neb Soln", "1", "NEB", "IH"),
    ("NORepinephrine", "8", "mg", "IV DRIP"),
    ("Vancomycin", "1000", "mg", "IV"),
)
NOREPINEPHRINE, VANCOMYCIN = 20, 21

#: itemid, label
PROCEDURES = (
    (224275, "20 Gauge"),
    (224277, "18 Gauge"),
    (225459, "Chest X-Ray"),
    (225402, "EKG"),
    (225752, "Arterial Line"),
    (224263, "Multi Lumen"),
    (225401, "Blood Cultured"),
    (221214, "CT scan"),
    (229351, "Foley Catheter"),
    (225454, "Urine Culture"),
    (229999, None),  # unknown to its dictionary
    (225792, "Invasive Ventilation"),
    (225802, "Dialysis - CRRT"),
)
VENTILATION, DIALYSIS = 11, 12

INGREDIENTS = (
    (226509, "Water (ingr)"),
    (220490, "Sodium (ingr)"),
    (226089, "Dextrose (ingr)"),
    (220364, "Potassium (ingr)"),
    (226221, "Enteral Nutrition (ingr)"),
)
FEEDING = 4

#: specimen, test, organism, antibiotic, interpretation
CULTURES = (
    ("BLOOD CULTURE", "Blood Culture, Routine", None, None, None),
    ("BLOOD CULTURE", "Blood Culture, Routine", "STAPH AUREUS COAG +", "OXACILLIN", "S"),
    ("URINE", "URINE CULTURE", None, None, None),
    ("URINE", "URINE CULTURE", "ESCHERICHIA COLI", "CEFTRIAXONE", "S"),
    ("URINE", "URINE CULTURE", "ESCHERICHIA COLI", "CIPROFLOXACIN", "R"),
    ("SPUTUM", "RESPIRATORY CULTURE", "YEAST", None, None),
    ("MRSA SCREEN", "MRSA SCREEN", None, None, None),
    ("BLOOD CULTURE", "Blood Culture, Routine", "STAPH AUREUS COAG +", "OXACILLIN", "R"),
)
RESISTANT = 7

#: Groups of events that share one time: name -> (event type, first item, last item + 1, share,
#: how many of the items; 0 = all of them, in order).
GROUPS = {
    "chemistry": (2, 0, 7, 0.15, 0),
    "blood count": (2, 7, 10, 0.12, 0),
    "blood gas": (2, 10, 14, 0.13, 0),
    "coagulation": (2, 14, 15, 0.06, 0),
    "unknown laboratory item": (2, 15, 16, 0.01, 0),
    "order set": (0, 0, 20, 0.25, 2),
    "procedure": (1, 0, 11, 0.13, 1),
    "fluids": (4, 0, 4, 0.10, 2),
    "culture": (3, 0, 7, 0.05, 1),
}

#: How much each planted cause adds to the log-odds of dying in hospital.
EFFECTS = {
    "high lactate": 2.4,  # Lactate of 4.0 mmol/L and more, at any time of the window
    "norepinephrine": 1.6,
    "high lactate and norepinephrine": 1.2,  # on top, when both are there
    "late ventilation": 2.5,  # started in the second day; in the first day it adds nothing
    "resistant culture, no vancomycin": 2.8,
    "resistant culture, vancomycin": 0.4,
    "dialysis": 2.0,
    "enteral nutrition": -1.6,
    "age": 0.06,  # a year above 65
}
INTERCEPT = -4.75

#: How often each planted event happens in the window.
FREQUENCIES = {
    "high lactate": 0.22,
    "norepinephrine": 0.25,
    "early ventilation": 0.25,
    "late ventilation": 0.18,
    "resistant culture": 0.18,
    "vancomycin": 0.5,
    "dialysis": 0.12,
    "enteral nutrition": 0.35,
}

#: Event type (its place in EVENT_TYPES) and item of every planted event.
PLANTED_ITEMS = {
    "high lactate": (2, LACTATE),
    "norepinephrine": (0, NOREPINEPHRINE),
    "early ventilation": (1, VENTILATION),
    "late ventilation": (1, VENTILATION),
    "resistant culture": (3, RESISTANT),
    "vancomycin": (0, VANCOMYCIN),
    "dialysis": (1, DIALYSIS),
    "enteral nutrition": (4, FEEDING),
}

STATIC_CATEGORIES: dict[str, tuple[tuple[str | None, ...], tuple[float, ...]]] = {
    "gender": (("F", "M"), (0.44, 0.56)),
    "race": (
        ("WHITE", "BLACK/AFRICAN AMERICAN", "HISPANIC/LATINO", "ASIAN", "OTHER", "UNKNOWN"),
        (0.66, 0.12, 0.05, 0.04, 0.05, 0.08),
    ),
    "marital_status": (
        ("MARRIED", "SINGLE", "WIDOWED", "DIVORCED", None),
        (0.44, 0.29, 0.12, 0.07, 0.08),
    ),
    "language": (("ENGLISH", "SPANISH", "CHINESE", "OTHER"), (0.89, 0.05, 0.02, 0.04)),
    "admission_type": (
        ("EW EMER.", "URGENT", "OBSERVATION ADMIT", "SURGICAL SAME DAY ADMISSION", "ELECTIVE"),
        (0.52, 0.18, 0.14, 0.10, 0.06),
    ),
    "admission_location": (
        ("EMERGENCY ROOM", "PHYSICIAN REFERRAL", "TRANSFER FROM HOSPITAL", "CLINIC REFERRAL"),
        (0.47, 0.25, 0.23, 0.05),
    ),
    "insurance": (("Medicare", "Medicaid", "Private", "Other"), (0.48, 0.11, 0.33, 0.08)),
    "first_careunit": (
        (
            "Medical Intensive Care Unit (MICU)",
            "Surgical Intensive Care Unit (SICU)",
            "Cardiac Vascular Intensive Care Unit (CVICU)",
            "Coronary Care Unit (CCU)",
            "Trauma SICU (TSICU)",
        ),
        (0.32, 0.22, 0.20, 0.14, 0.12),
    ),
}
