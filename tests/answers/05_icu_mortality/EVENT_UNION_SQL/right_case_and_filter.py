"""Built from a table of parts; correlated subqueries for labels; order by position."""

parts = {
    "prescription": ("prescriptions", "subject_id", "starttime", "NULL", "drug, dose_val_rx, dose_unit_rx, route"),
    "procedure": ("procedureevents", "stay_id", "starttime", "d_items", ""),
    "lab": ("labevents", "subject_id", "storetime", "d_labitems", "value, valueuom, flag"),
    "microbiology": ("microbiologyevents", "subject_id", "storetime", "NULL",
                     "spec_type_desc, test_name, org_name, ab_name, interpretation"),
    "ingredient": ("ingredientevents", "stay_id", "starttime", "d_items", ""),
}
selects = []
for kind, (table, key, time, dictionary, pieces) in parts.items():
    label = "" if dictionary == "NULL" else (
        f"(SELECT coalesce(max(d.label), e.itemid::VARCHAR) FROM {dictionary} d WHERE d.itemid = e.itemid)")
    text = "concat_ws(' ', " + ", ".join(x for x in [label, *(f"e.{p.strip()}" for p in pieces.split(",") if p)] if x) + ")"
    selects.append(f"""
    SELECT i.stay_id, e.{time} AS event_time, '{kind}' AS event_type, {text} AS event_text,
           date_diff('second', i.intime, e.{time}) / 60.0::DOUBLE AS minutes_since_admission
    FROM icustays i, {table} e
    WHERE i.{key} = e.{key} AND e.{time} BETWEEN i.intime AND i.intime + INTERVAL 48 HOUR
      AND e.{time} <> i.intime + INTERVAL 48 HOUR AND i.outtime - i.intime >= INTERVAL 48 HOUR""")
EVENT_UNION_SQL = " UNION ALL ".join(selects) + " ORDER BY 1, 2, 3, 4"
