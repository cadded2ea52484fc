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
-- did "Buy" or "View" (price between 1 and 5) = 2 times in the last 7 days
c1_did_buy AS (
  SELECT user_code FROM events
  WHERE event IN ($c1_did_e1, $c1_did_e2)
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND ts >= $c1_did_from
    AND "p_price" BETWEEN $c1_did_f1_v1 AND $c1_did_f1_v2
  GROUP BY user_code
  HAVING count(*) = $c1_did_m1
)
SELECT user_code FROM c1_did_buy
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_e1 = 'Buy'
-- $c1_did_e2 = 'View'
-- $c1_did_from = datetime.datetime(2026, 6, 24, 4, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_f1_v1 = 1
-- $c1_did_f1_v2 = 5
-- $c1_did_m1 = 2
