"""No WITH; UNION ALL BY NAME; a space before every piece but the first."""

EVENT_UNION_SQL = """
SELECT stay_id, event_time, event_type, event_text,
       CAST(extract('epoch' FROM event_time) - extract('epoch' FROM intime) AS DOUBLE) / 60 AS minutes_since_admission
FROM (
  SELECT stay_id, intime, starttime event_time, 'prescription' event_type,
         substr(concat(' ' || drug, ' ' || dose_val_rx, ' ' || dose_unit_rx, ' ' || route), 2) event_text
  FROM icustays JOIN prescriptions USING (subject_id) WHERE outtime >= intime + INTERVAL 2 DAY
  UNION ALL BY NAME
  SELECT s.stay_id, s.intime, storetime event_time, 'lab' event_type,
         concat_ws(' ', CASE WHEN label IS NULL THEN l.itemid::VARCHAR ELSE label END, value, valueuom, flag) event_text
  FROM icustays s INNER JOIN labevents l ON s.subject_id = l.subject_id
  LEFT OUTER JOIN d_labitems d ON l.itemid = d.itemid WHERE outtime >= s.intime + INTERVAL 2 DAY
  UNION ALL BY NAME
  SELECT s.stay_id, s.intime, storetime event_time, 'microbiology' event_type,
         concat_ws(' ', spec_type_desc, test_name, org_name, ab_name, interpretation) event_text
  FROM icustays s JOIN microbiologyevents m ON s.subject_id = m.subject_id WHERE outtime >= s.intime + INTERVAL 2 DAY
  UNION ALL BY NAME
  SELECT s.stay_id, s.intime, p.starttime event_time, 'procedure' event_type,
         coalesce(d.label, format('{}', p.itemid)) event_text
  FROM icustays s JOIN procedureevents p ON s.stay_id = p.stay_id LEFT JOIN d_items d ON d.itemid = p.itemid
  WHERE outtime >= s.intime + INTERVAL 2 DAY
  UNION ALL BY NAME
  SELECT s.stay_id, s.intime, p.starttime event_time, 'ingredient' event_type,
         coalesce(d.label, format('{}', p.itemid)) event_text
  FROM icustays s JOIN ingredientevents p ON s.stay_id = p.stay_id LEFT JOIN d_items d ON d.itemid = p.itemid
  WHERE outtime >= s.intime + INTERVAL 2 DAY
)
WHERE event_time >= intime AND event_time < intime + INTERVAL 2880 MINUTE
ORDER BY stay_id ASC, event_time ASC, event_type ASC, event_text ASC
"""
