WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- "Buy", by price
c1_part_buy AS (
  SELECT user_code, "p_price" AS value, max(ts) AS newest FROM events
  WHERE event = $c1_part_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND "p_price" IS NOT NULL
  GROUP BY user_code, value
),
-- "View", by price
c2_part_view AS (
  SELECT user_code, "p_price" AS value, max(ts) AS newest FROM events
  WHERE event = $c2_part_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND "p_price" IS NOT NULL
  GROUP BY user_code, value
  HAVING count(*) >= $c2_part_m1
),
-- values of price
c3_values_price AS (
  SELECT user_code, value FROM c1_part_buy
  EXCEPT
  SELECT user_code, value FROM c2_part_view
),
-- for one and the same price: did "Buy" by price and did not do "View" at least 2 times by price
c4_constant_price AS (
  SELECT DISTINCT user_code FROM c3_values_price
)
SELECT user_code FROM c4_constant_price
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_part_e1 = 'Buy'
-- $c2_part_e1 = 'View'
-- $c2_part_m1 = 2
