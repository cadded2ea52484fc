WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- did "Buy" or "View" in the last 30 days predominantly with price 2 or 5
c1_interest_price AS (
  SELECT user_code FROM (
  SELECT user_code, "p_price" AS value, count(*) AS times FROM events
  WHERE event IN ($c1_interest_e1, $c1_interest_e2)
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND ts >= $c1_interest_from
    AND "p_price" IS NOT NULL
  GROUP BY user_code, value
  )
  GROUP BY user_code
  HAVING max(times) FILTER (WHERE value IN ($c1_interest_v1, $c1_interest_v2))
    > coalesce(max(times) FILTER (WHERE value NOT IN ($c1_interest_v1, $c1_interest_v2)), 0)
)
SELECT user_code FROM c1_interest_price
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_interest_e1 = 'Buy'
-- $c1_interest_e2 = 'View'
-- $c1_interest_from = datetime.datetime(2026, 6, 1, 4, 0, tzinfo=datetime.timezone.utc)
-- $c1_interest_v1 = 2
-- $c1_interest_v2 = 5
