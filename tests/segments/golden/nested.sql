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
-- is in segment "americans"
c2_segment_americans AS (
  SELECT user_code FROM c1_user_country
),
-- is not in segment "americans"
c3_not AS (
  SELECT user_code FROM everyone
  EXCEPT
  SELECT user_code FROM c2_segment_americans
),
-- did "Buy"
c4_did_buy AS (
  SELECT DISTINCT user_code FROM events
  WHERE event = $c4_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
),
-- did not do "Buy"
c5_all AS (
  SELECT user_code FROM everyone
  EXCEPT
  SELECT user_code FROM c4_did_buy
),
-- user_id starts with "0", "1"
c6_user_user_id AS (
  SELECT user_code FROM profiles JOIN users USING (user_code)
  WHERE (starts_with("user_id", $c6_user_v1) OR starts_with("user_id", $c6_user_v2))
),
-- is not in segment "americans" or (did not do "Buy") or user_id starts with "0", "1"
c7_any AS (
  SELECT user_code FROM c3_not
  UNION
  SELECT user_code FROM c5_all
  UNION
  SELECT user_code FROM c6_user_user_id
)
SELECT user_code FROM c7_any
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_user_v1 = 'US'
-- $c4_did_e1 = 'Buy'
-- $c6_user_v1 = '0'
-- $c6_user_v2 = '1'
