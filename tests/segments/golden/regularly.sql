WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- did "Buy" in at least 1 of the last 3 weeks
c1_regularly_buy AS (
  SELECT user_code FROM (
  SELECT user_code, (ts >= $c1_regularly_start2)::INTEGER + (ts >= $c1_regularly_start1)::INTEGER AS period FROM events
  WHERE event = $c1_regularly_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND ts >= $c1_regularly_start3
  GROUP BY user_code, period
  HAVING count(*) >= $c1_regularly_times
  )
  GROUP BY user_code
  HAVING count(*) >= $c1_regularly_least
)
SELECT user_code FROM c1_regularly_buy
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_regularly_start3 = datetime.datetime(2026, 6, 11, 4, 0, tzinfo=datetime.timezone.utc)
-- $c1_regularly_start2 = datetime.datetime(2026, 6, 18, 4, 0, tzinfo=datetime.timezone.utc)
-- $c1_regularly_start1 = datetime.datetime(2026, 6, 25, 4, 0, tzinfo=datetime.timezone.utc)
-- $c1_regularly_e1 = 'Buy'
-- $c1_regularly_times = 1
-- $c1_regularly_least = 1
