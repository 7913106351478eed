"""
Mistake: identical procedures become one.
Message: identical rows stay
"""

EVENT_UNION_SQL = None
EVENT_UNION_SQL = """
WITH stays AS (
    SELECT stay_id, subject_id, intime, intime + INTERVAL 48 HOUR AS window_end
    FROM icustays
    WHERE outtime >= intime + INTERVAL 48 HOUR
), everything AS (
    SELECT s.*, p.starttime AS event_time, 'prescription' AS event_type,
           concat_ws(' ', p.drug, p.dose_val_rx, p.dose_unit_rx, p.route) AS event_text
    FROM stays s JOIN prescriptions p USING (subject_id)
    UNION ALL
    SELECT DISTINCT s.*, p.starttime, 'procedure', coalesce(d.label, p.itemid::VARCHAR)
    FROM stays s JOIN procedureevents p USING (stay_id) LEFT JOIN d_items d USING (itemid)
    UNION ALL
    SELECT s.*, l.storetime, 'lab',
           concat_ws(' ', coalesce(d.label, l.itemid::VARCHAR), l.value, l.valueuom, l.flag)
    FROM stays s JOIN labevents l USING (subject_id) LEFT JOIN d_labitems d USING (itemid)
    UNION ALL
    SELECT s.*, m.storetime, 'microbiology',
           concat_ws(' ', m.spec_type_desc, m.test_name, m.org_name, m.ab_name, m.interpretation)
    FROM stays s JOIN microbiologyevents m USING (subject_id)
    UNION ALL
    SELECT s.*, i.starttime, 'ingredient', coalesce(d.label, i.itemid::VARCHAR)
    FROM stays s JOIN ingredientevents i USING (stay_id) LEFT JOIN d_items d USING (itemid)
)
SELECT stay_id, event_time, event_type, event_text,
       (epoch_us(event_time) - epoch_us(intime)) / 6e7 AS minutes_since_admission
FROM everything
WHERE event_time >= intime AND event_time < window_end
ORDER BY stay_id, event_time, event_type, event_text
"""
