WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- did "Buy" with average of price > 2.5
c1_did_buy AS (
  SELECT user_code FROM events
  WHERE event = $c1_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
  GROUP BY user_code
  HAVING coalesce(sum("p_price"), 0) / count(*) > $c1_did_m1
)
SELECT user_code FROM c1_did_buy
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_e1 = 'Buy'
-- $c1_did_m1 = 2.500000001
