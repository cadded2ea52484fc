WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- country is "US"
c1_user_country AS (
  SELECT user_code FROM profiles
  WHERE "p_country" = $c1_user_v1
),
-- did "Buy"
c2_did_buy AS (
  SELECT DISTINCT user_code FROM events
  WHERE event = $c2_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
),
-- country is "US" and did not do "Buy"
c3_all AS (
  SELECT user_code FROM c1_user_country
  EXCEPT
  SELECT user_code FROM c2_did_buy
)
SELECT user_code FROM c3_all
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_user_v1 = 'US'
-- $c2_did_e1 = 'Buy'
