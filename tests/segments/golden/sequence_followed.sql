WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- first: "View"
c1_first AS (
  SELECT user_code, ts FROM events
  WHERE event = $c1_first_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND ts >= $c1_first_from
),
-- then: "Buy"
c2_then AS (
  SELECT user_code, ts FROM events
  WHERE event = $c2_then_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
),
-- did "View" in the last 60 days then "Buy" within 2 hours
c3_sequence_view AS (
  SELECT DISTINCT a.user_code FROM c1_first a ASOF JOIN c2_then b ON a.user_code = b.user_code AND a.ts < b.ts
  WHERE b.ts <= a.ts + to_microseconds($c3_sequence_within)
)
SELECT user_code FROM c3_sequence_view
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_first_e1 = 'View'
-- $c1_first_from = datetime.datetime(2026, 5, 2, 4, 0, tzinfo=datetime.timezone.utc)
-- $c2_then_e1 = 'Buy'
-- $c3_sequence_within = 7200000000
