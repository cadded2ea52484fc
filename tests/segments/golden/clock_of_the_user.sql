WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- the zone of each user
user_zones AS (
  SELECT user_code, CASE WHEN "p_timezone" IN (SELECT unnest($known_zones)) THEN "p_timezone" ELSE $account_zone END AS zone
  FROM profiles
),
-- did "Buy" on Friday between 22:00 and 06:00 in the local time of the user
c2_did_buy AS (
  SELECT DISTINCT user_code FROM events JOIN user_zones USING (user_code)
  WHERE event = $c2_did_e1
    AND ts <= $as_of
    AND coalesce(received_at, ts) <= $as_of
    AND (timezone(zone, ts)::TIME >= $c2_did_after OR timezone(zone, ts)::TIME < $c2_did_before)
    AND isodow(timezone(zone, ts)) IN (5)
)
SELECT user_code FROM c2_did_buy
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $known_zones = 597 values
-- $account_zone = 'America/New_York'
-- $c2_did_e1 = 'Buy'
-- $c2_did_after = datetime.time(22, 0)
-- $c2_did_before = datetime.time(6, 0)
