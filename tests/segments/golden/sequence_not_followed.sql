WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- first: "Buy"
c1_first AS (
  SELECT user_code, ts FROM events
  WHERE event = $c1_first_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
),
-- then: "View"
c2_then AS (
  SELECT user_code, ts FROM events
  WHERE event = $c2_then_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
),
-- did "Buy" and then not "View" within 1 hour
c3_sequence_buy AS (
  SELECT DISTINCT a.user_code FROM c1_first a ASOF LEFT JOIN c2_then b ON a.user_code = b.user_code AND a.ts < b.ts
  WHERE a.ts + to_microseconds($c3_sequence_within) <= $as_of AND (b.ts IS NULL OR b.ts > a.ts + to_microseconds($c3_sequence_within))
)
SELECT user_code FROM c3_sequence_buy
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_first_e1 = 'Buy'
-- $c2_then_e1 = 'View'
-- $c3_sequence_within = 3600000000
