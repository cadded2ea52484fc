WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- age >= 25
c1_age AS (
  SELECT user_code FROM profiles
  WHERE "p_birth_date" <= $c1_age_today AND ($c1_age_year - year("p_birth_date") - CASE WHEN month("p_birth_date") * 100 + day("p_birth_date") > $c1_age_day THEN 1 ELSE 0 END) >= $c1_age_v1
),
-- is at most 1000 m from (52.52, 13.405)
c2_near AS (
  SELECT user_code FROM profiles
  WHERE "p_latitude" BETWEEN -90 AND 90 AND "p_longitude" BETWEEN -180 AND 180
    AND round(12742017.6 * asin(sqrt(least(1, pow(sin(radians("p_latitude" - $c2_near_latitude) / 2), 2) + cos(radians($c2_near_latitude)) * cos(radians("p_latitude")) * pow(sin(radians("p_longitude" - $c2_near_longitude) / 2), 2)))), 3) <= $c2_near_metres
),
-- is in user bucket 0 to 998
c3_bucket AS (
  SELECT user_code FROM everyone JOIN users USING (user_code)
  WHERE left(md5($c3_bucket_salt || ':' || user_id), 8) >= $c3_bucket_from AND left(md5($c3_bucket_salt || ':' || user_id), 8) < $c3_bucket_to
),
-- is in list "vips"
c4_list_vips AS (
  SELECT user_code FROM lists
  WHERE list = $c4_list_list AND version = $c4_list_version
),
-- age >= 25 and is at most 1000 m from (52.52, 13.405) and is in user bucket 0 to 998 and is in list "vips"
c5_all AS (
  SELECT user_code FROM c1_age
  INTERSECT
  SELECT user_code FROM c2_near
  INTERSECT
  SELECT user_code FROM c3_bucket
  INTERSECT
  SELECT user_code FROM c4_list_vips
)
SELECT user_code FROM c5_all
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_age_year = 2026
-- $c1_age_day = 701
-- $c1_age_v1 = 25
-- $c1_age_today = datetime.date(2026, 7, 1)
-- $c2_near_latitude = 52.52
-- $c2_near_longitude = 13.405
-- $c2_near_metres = 1000.0
-- $c3_bucket_salt = 'test-salt/bucket'
-- $c3_bucket_from = '00000000'
-- $c3_bucket_to = 'ffbe76c9'
-- $c4_list_list = 'vips'
-- $c4_list_version = 1
