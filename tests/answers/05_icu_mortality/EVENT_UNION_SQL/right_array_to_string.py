"""Union first, join later; ORDER BY ALL; a comment and a semicolon."""

EVENT_UNION_SQL = """
-- one row per event; the comment and the semicolon are allowed
WITH e AS (
  SELECT subject_id, NULL::BIGINT AS stay, starttime AS t, 'prescription' AS k,
         array_to_string([x FOR x IN [drug, dose_val_rx, dose_unit_rx, route] IF x IS NOT NULL], ' ') AS txt
  FROM prescriptions
  UNION ALL SELECT NULL, stay_id, starttime, 'procedure', ifnull(label, CAST(itemid AS VARCHAR))
  FROM procedureevents LEFT JOIN d_items USING (itemid)
  UNION ALL SELECT NULL, stay_id, starttime, 'ingredient', ifnull(label, CAST(itemid AS VARCHAR))
  FROM ingredientevents LEFT JOIN d_items USING (itemid)
  UNION ALL SELECT subject_id, NULL, storetime, 'lab', concat_ws(' ', ifnull(label, itemid::TEXT), value, valueuom, flag)
  FROM labevents LEFT JOIN d_labitems USING (itemid)
  UNION ALL SELECT subject_id, NULL, storetime, 'microbiology',
         concat_ws(' ', spec_type_desc, test_name, org_name, ab_name, interpretation) FROM microbiologyevents
)
SELECT i.stay_id, t AS event_time, k AS event_type, txt AS event_text,
       epoch(t - i.intime) / 60 AS minutes_since_admission
FROM icustays AS i JOIN e ON (e.stay = i.stay_id OR e.subject_id = i.subject_id)
WHERE i.outtime IS NOT NULL AND epoch(i.outtime) - epoch(i.intime) >= 48 * 3600
  AND t >= i.intime AND t < i.intime + INTERVAL '2 days'
ORDER BY ALL;
"""
