WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- did "x'; DROP TABLE events; --??/ "?as_of" ?0? ?" (x'; DROP TABLE events; --??/ "?as_of" ?0? ? contains "x'; DROP TABLE events; --??/ "?as_of" ?0? ?")
c1_did_x_drop_table_events_as_of_0 AS (
  SELECT DISTINCT user_code FROM events
  WHERE event = $c1_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND (contains("p_x_drop_table_events_as_of_0", $c1_did_f1_v1))
),
-- x'; DROP TABLE events; --??/ "?as_of" ?0? ? is not "x'; DROP TABLE events; --??/ "?as_of" ?0? ?"
c2_user_x_drop_table_events_as_of_0 AS (
  SELECT user_code FROM profiles
  WHERE "p_x_drop_table_events_as_of_0" <> $c2_user_v1
),
-- did "x'; DROP TABLE events; --??/ "?as_of" ?0? ?" (x'; DROP TABLE events; --??/ "?as_of" ?0? ? contains "x'; DROP TABLE events; --??/ "?as_of" ?0? ?") and x'; DROP TABLE events; --??/ "?as_of" ?0? ? is not "x'; DROP TABLE events; --??/ "?as_of" ?0? ?"
c3_all AS (
  SELECT user_code FROM c1_did_x_drop_table_events_as_of_0
  INTERSECT
  SELECT user_code FROM c2_user_x_drop_table_events_as_of_0
)
SELECT user_code FROM c3_all
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_e1 = 'x\'; DROP TABLE events; --\n*/ "$as_of" {0} \\'
-- $c1_did_f1_v1 = 'x\'; DROP TABLE events; --\n*/ "$as_of" {0} \\'
-- $c2_user_v1 = 'x\'; DROP TABLE events; --\n*/ "$as_of" {0} \\'
