WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- did "Buy" on Tuesday from 08:00
c1_did_buy AS (
  SELECT DISTINCT user_code FROM events
  WHERE event = $c1_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND (timezone('UTC', ts) + to_seconds(CASE WHEN ts < $zone_until1 THEN -18000 WHEN ts < $zone_until2 THEN -14400 ELSE -18000 END))::TIME >= $c1_did_after
    AND isodow((timezone('UTC', ts) + to_seconds(CASE WHEN ts < $zone_until1 THEN -18000 WHEN ts < $zone_until2 THEN -14400 ELSE -18000 END))) IN (2)
)
SELECT user_code FROM c1_did_buy
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_e1 = 'Buy'
-- $zone_until1 = datetime.datetime(2026, 3, 8, 7, 0, tzinfo=datetime.timezone.utc)
-- $zone_until2 = datetime.datetime(2026, 11, 1, 6, 0, tzinfo=datetime.timezone.utc)
-- $c1_did_after = datetime.time(8, 0)
