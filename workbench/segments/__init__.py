"""The condition tree and what is derived from it: SQL, sentence, JSON, counts."""
