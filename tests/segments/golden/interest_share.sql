WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- did "Buy" with price 2 in at least 33.3 % of them
c1_interest_price AS (
  SELECT user_code FROM events
  WHERE event = $c1_interest_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
  GROUP BY user_code
  HAVING $c1_interest_whole * count(*) FILTER (WHERE "p_price" IN ($c1_interest_v1)) >= $c1_interest_part * count(*)
)
SELECT user_code FROM c1_interest_price
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_interest_e1 = 'Buy'
-- $c1_interest_v1 = 2
-- $c1_interest_part = 333
-- $c1_interest_whole = 1000
