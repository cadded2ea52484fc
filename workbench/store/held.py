"""SQL of which version of a profile or device held at an instant, of those that were known by then."""


def profiles_at(instant: str = "$as_of") -> str:
    """Return the SQL of the profiles as they were known at an instant: one row a user.

    A version without ``valid_from`` holds since it was recorded; history without any time, since ever.
    Only the key of the newest version is looked for; the attributes are read of that one alone.
    """
    return _newest("profile_versions", "user_code", instant)


def devices_at(instant: str = "$as_of") -> str:
    """Return the SQL of the devices as they were known at an instant: one row a user and device."""
    return _newest("device_versions", "user_code, device_id", instant)


def visible(instant: str = "$as_of") -> str:
    """Return the SQL of whether a version of a profile or device was known at an instant."""
    return f"coalesce(recorded_at, valid_from, {instant}) <= {instant} AND coalesce(valid_from, {instant}) <= {instant}"


def _newest(view: str, identity: str, instant: str) -> str:
    key = "(coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ), seq, coalesce(recorded_at, '-infinity'::TIMESTAMPTZ))"
    return f"""SELECT * EXCLUDE (newest) FROM {view} JOIN (
    SELECT {identity}, max({key}) AS newest FROM {view} WHERE {visible(instant)} GROUP BY {identity}
  ) USING ({identity}) WHERE {key} = newest"""
