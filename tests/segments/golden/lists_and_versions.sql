WITH
profiles AS (
  SELECT * EXCLUDE (newest) FROM profile_versions JOIN (
    SELECT user_code, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM profile_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code
  ) USING (user_code) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
everyone AS (
  SELECT user_code FROM profiles
),
-- tags contains all "a", "b"
c1_user_tags AS (
  SELECT user_code FROM profiles
  WHERE list_has_all("p_tags", [$c1_user_v1, $c1_user_v2])
),
-- tags contains none "a"
c2_user_tags AS (
  SELECT user_code FROM profiles
  WHERE NOT list_has_any("p_tags", [$c2_user_v1])
),
-- the devices as they were known
devices AS (
  SELECT * EXCLUDE (newest) FROM device_versions JOIN (
    SELECT user_code, device_id, max((coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))) AS newest FROM device_versions WHERE coalesce(recorded_at, valid_from, $as_of) <= $as_of AND coalesce(valid_from, $as_of) <= $as_of GROUP BY user_code, device_id
  ) USING (user_code, device_id) WHERE (coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ)) = newest
),
-- has a device with os is "iOS" and app_version > "2.9.3"
c4_device AS (
  SELECT DISTINCT user_code FROM devices
  WHERE "p_os" = $c4_device_f1_v1
    AND array_to_string(list_transform(string_split(regexp_replace(nullif(regexp_extract("p_app_version", '^[ \t]*[vV]?([0-9]{1,20}(?:\.[0-9]{1,20})*)(?:[^0-9](?s:.)*)?$', 1), ''), '(\.0+)+$', ''), '.'), lambda part: lpad(part, 20, '0')), '.') > $c4_device_f2_v1
),
-- tags contains all "a", "b" or tags contains none "a" or has a device with os is "iOS" and app_version > "2.9.3"
c5_any AS (
  SELECT user_code FROM c1_user_tags
  UNION
  SELECT user_code FROM c2_user_tags
  UNION
  SELECT user_code FROM c4_device
)
SELECT user_code FROM c5_any
INTERSECT
SELECT user_code FROM everyone
-- $as_of = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
-- $c1_user_v1 = 'a'
-- $c1_user_v2 = 'b'
-- $c2_user_v1 = 'a'
-- $c4_device_f1_v1 = 'iOS'
-- $c4_device_f2_v1 = '00000000000000000002.00000000000000000009.00000000000000000003'
