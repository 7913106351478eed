"""FROM first, UNION ALL BY NAME, a lateral window, comments, a semicolon.
"""

EVENT_UNION_SQL = """
-- everything known in the first two days
with s as (from icustays select stay_id, subject_id, intime
           where date_diff('second', intime, outtime) >= 48 * 3600),
     labs as (select subject_id, storetime as event_time, 'lab' as event_type,
                     concat_ws(' ', coalesce(label, cast(l.itemid as text)), value, valueuom, flag) as event_text
              from labevents l left join d_labitems d on d.itemid = l.itemid),
     bugs as (select subject_id, storetime as event_time, 'microbiology' as event_type,
                     concat_ws(' ', spec_type_desc, test_name, org_name, ab_name, interpretation) as event_text
              from microbiologyevents),
     drugs as (select subject_id, starttime as event_time, 'prescription' as event_type,
                      concat_ws(' ', drug, dose_val_rx, dose_unit_rx, route) as event_text
               from prescriptions),
     bedside as (
         select stay_id, starttime, 'procedure' as kind, itemid from procedureevents
         union all
         select stay_id, starttime, 'ingredient', itemid from ingredientevents),
     by_person as (select event_text, event_type, event_time, subject_id from drugs
                   union all by name from labs union all by name from bugs)
select s.stay_id, e.event_time, e.event_type, e.event_text,
       extract(epoch from e.event_time - s.intime) / 60.0::double as minutes_since_admission
from s, (select stay_id, null::bigint as subject_id, starttime as event_time, kind as event_type,
                coalesce(d.label, b.itemid::varchar) as event_text
         from bedside b left join d_items d using (itemid)
         union all
         select null, subject_id, event_time, event_type, event_text from by_person) e
where (e.stay_id = s.stay_id or e.subject_id = s.subject_id)
  and e.event_time >= s.intime and e.event_time - s.intime < interval '2 days'
order by all;
"""
