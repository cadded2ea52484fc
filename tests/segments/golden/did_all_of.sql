WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- did "Buy" today
c1_did_buy AS (
  SELECT DISTINCT user_code FROM events
  WHERE event = $c1_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND ts >= $c1_did_from
),
-- did "View" today
c2_did_view AS (
  SELECT DISTINCT user_code FROM events
  WHERE event = $c2_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND ts >= $c2_did_from
),
-- did "Buy" and "View" today
c3_did_all AS (
  SELECT user_code FROM c1_did_buy
  INTERSECT
  SELECT user_code FROM c2_did_view
)
SELECT user_code FROM c3_did_all
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_e1 = 'Buy'
-- $c1_did_from = datetime.datetime(2026, 7, 1, 4, 0, tzinfo=datetime.timezone.utc)
-- $c2_did_e1 = 'View'
-- $c2_did_from = datetime.datetime(2026, 7, 1, 4, 0, tzinfo=datetime.timezone.utc)
