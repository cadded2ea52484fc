"""Where things are kept: the lake of Parquet files, the database of decisions, ingest."""
