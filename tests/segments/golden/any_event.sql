WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- did "Any Event" between 9 and 3 days ago
c1_did_any_event AS (
  SELECT DISTINCT user_code FROM events
  WHERE true
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND ts >= $c1_did_from
    AND ts < $c1_did_to
)
SELECT user_code FROM c1_did_any_event
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_from = datetime.datetime(2026, 6, 22, 4, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_to = datetime.datetime(2026, 6, 29, 4, 0, tzinfo=datetime.timezone.utc)
