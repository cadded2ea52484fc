WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- the anniversary of birth_date is within the next 2 days
c1_user_birth_date AS (
  SELECT user_code FROM profiles
  WHERE ("p_birth_date" < $c1_user_today AND month("p_birth_date") * 100 + day("p_birth_date") BETWEEN $c1_user_first AND $c1_user_last)
),
-- birth_date is up to 2001-01-01
c2_user_birth_date AS (
  SELECT user_code FROM profiles
  WHERE ("p_birth_date" IS NOT NULL AND "p_birth_date" <= $c2_user_to)
),
-- renewal is in the next 2 weeks
c3_user_renewal AS (
  SELECT user_code FROM profiles
  WHERE ("p_renewal" IS NOT NULL AND "p_renewal" >= $c3_user_from AND "p_renewal" < $c3_user_to)
),
-- the anniversary of renewal is within the next 364 days
c4_user_renewal AS (
  SELECT user_code FROM profiles
  WHERE (timezone($account_zone, "p_renewal")::DATE < $c4_user_today AND (month(timezone($account_zone, "p_renewal")::DATE) * 100 + day(timezone($account_zone, "p_renewal")::DATE) >= $c4_user_first OR month(timezone($account_zone, "p_renewal")::DATE) * 100 + day(timezone($account_zone, "p_renewal")::DATE) <= $c4_user_last))
),
-- the anniversary of birth_date is within the next 2 days or birth_date is up to 2001-01-01 or renewal is in the next 2 weeks or the anniversary of renewal is within the next 364 days
c5_any AS (
  SELECT user_code FROM c1_user_birth_date
  UNION
  SELECT user_code FROM c2_user_birth_date
  UNION
  SELECT user_code FROM c3_user_renewal
  UNION
  SELECT user_code FROM c4_user_renewal
)
SELECT user_code FROM c5_any
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_user_today = datetime.date(2026, 7, 1)
-- $c1_user_first = 701
-- $c1_user_last = 703
-- $c2_user_to = datetime.date(2001, 1, 1)
-- $c3_user_from = datetime.datetime(2026, 7, 1, 4, 0, tzinfo=datetime.timezone.utc)
-- $c3_user_to = datetime.datetime(2026, 7, 16, 4, 0, tzinfo=datetime.timezone.utc)
-- $account_zone = 'America/New_York'
-- $c4_user_today = datetime.date(2026, 7, 1)
-- $c4_user_first = 701
-- $c4_user_last = 630
