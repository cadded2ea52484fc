"""Where people live: 15 countries, some cities, public coordinates, IANA zones."""

import polars as pl

COUNTRY_WEIGHTS = {
    "US": 30, "GB": 9, "CA": 6, "DE": 9, "FR": 7, "ES": 5, "IT": 5, "AU": 5, "BR": 5,
    "NL": 4, "PL": 4, "IN": 4, "SE": 3, "IE": 2, "JP": 2,
}  # fmt: skip

CITIES = (
    ("US", "New York", "New York", 40.71, -74.01, "America/New_York", 9),
    ("US", "Massachusetts", "Boston", 42.36, -71.06, "America/New_York", 5),
    ("US", "Florida", "Miami", 25.76, -80.19, "America/New_York", 4),
    ("US", "Maine", "Portland", 43.66, -70.26, "America/New_York", 3),
    ("US", "Illinois", "Chicago", 41.88, -87.63, "America/Chicago", 6),
    ("US", "Texas", "Austin", 30.27, -97.74, "America/Chicago", 5),
    ("US", "Colorado", "Denver", 39.74, -104.99, "America/Denver", 3),
    ("US", "Arizona", "Phoenix", 33.45, -112.07, "America/Phoenix", 3),
    ("US", "California", "Los Angeles", 34.05, -118.24, "America/Los_Angeles", 7),
    ("US", "Washington", "Seattle", 47.61, -122.33, "America/Los_Angeles", 4),
    ("US", "Oregon", "Portland", 45.52, -122.68, "America/Los_Angeles", 3),
    ("CA", "Ontario", "Toronto", 43.65, -79.38, "America/Toronto", 5),
    ("CA", "Quebec", "Montréal", 45.50, -73.57, "America/Toronto", 3),
    ("CA", "British Columbia", "Vancouver", 49.28, -123.12, "America/Vancouver", 3),
    (
        "CA",
        "Newfoundland and Labrador",
        "St. John's",
        47.56,
        -52.71,
        "America/St_Johns",
        1,
    ),
    ("GB", "England", "London", 51.51, -0.13, "Europe/London", 6),
    ("GB", "England", "Bristol", 51.45, -2.59, "Europe/London", 2),
    ("GB", "Scotland", "Edinburgh", 55.95, -3.19, "Europe/London", 2),
    ("DE", "Berlin", "Berlin", 52.52, 13.40, "Europe/Berlin", 5),
    ("DE", "Hamburg", "Hamburg", 53.55, 9.99, "Europe/Berlin", 3),
    ("DE", "Bayern", "München", 48.14, 11.58, "Europe/Berlin", 3),
    ("FR", "Île-de-France", "Paris", 48.86, 2.35, "Europe/Paris", 5),
    ("FR", "Bretagne", "Brest", 48.39, -4.49, "Europe/Paris", 2),
    ("ES", "Madrid", "Madrid", 40.42, -3.70, "Europe/Madrid", 4),
    ("ES", "Canarias", "Las Palmas", 28.12, -15.43, "Atlantic/Canary", 1),
    ("IT", "Lazio", "Roma", 41.90, 12.50, "Europe/Rome", 3),
    ("IT", "Liguria", "Genova", 44.41, 8.93, "Europe/Rome", 2),
    ("AU", "New South Wales", "Sydney", -33.87, 151.21, "Australia/Sydney", 4),
    ("AU", "Queensland", "Brisbane", -27.47, 153.03, "Australia/Brisbane", 2),
    ("BR", "São Paulo", "São Paulo", -23.55, -46.63, "America/Sao_Paulo", 3),
    ("BR", "Bahia", "Salvador", -12.97, -38.50, "America/Bahia", 1),
    ("NL", "Noord-Holland", "Amsterdam", 52.37, 4.90, "Europe/Amsterdam", 1),
    ("PL", "Pomorskie", "Gdańsk", 54.35, 18.65, "Europe/Warsaw", 1),
    ("IN", "Maharashtra", "Mumbai", 19.08, 72.88, "Asia/Kolkata", 2),
    ("IN", "Kerala", "Kochi", 9.93, 76.27, "Asia/Kolkata", 1),
    ("SE", "Stockholm", "Stockholm", 59.33, 18.07, "Europe/Stockholm", 1),
    ("IE", "Leinster", "Dublin", 53.35, -6.26, "Europe/Dublin", 1),
    ("JP", "Kanagawa", "Yokohama", 35.44, 139.64, "Asia/Tokyo", 1),
)


def cities() -> pl.DataFrame:
    """Return one row a city; `share` is its share of all people."""
    columns = [
        "country",
        "region",
        "city",
        "latitude",
        "longitude",
        "timezone",
        "weight",
    ]
    national = pl.col("country").replace_strict(COUNTRY_WEIGHTS, return_dtype=pl.Float64)
    share = national * pl.col("weight") / pl.col("weight").sum().over("country")
    frame = pl.DataFrame(CITIES, schema=columns, orient="row").with_columns(share=share)
    return frame.with_columns(pl.col("share") / pl.col("share").sum()).drop("weight")
