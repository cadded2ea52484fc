WITH
profiles AS (
  SELECT * FROM profile_versions
  WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of
  QUALIFY row_number() OVER (PARTITION BY user_code
    ORDER BY coalesce(valid_from, recorded_at) DESC NULLS LAST, seq DESC, recorded_at DESC NULLS LAST) = 1
),
everyone AS (
  SELECT user_code FROM profiles
),
-- did "Buy" < 3 times, users without any included
c1_did_buy AS (
  SELECT user_code FROM events
  WHERE event = $c1_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
  GROUP BY user_code
  HAVING count(*) < $c1_did_m1
  UNION
  (SELECT user_code FROM everyone
  EXCEPT
  SELECT user_code FROM events
  WHERE event = $c1_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of)
)
SELECT user_code FROM c1_did_buy
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_e1 = 'Buy'
-- $c1_did_m1 = 3
