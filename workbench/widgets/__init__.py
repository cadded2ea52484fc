"""Panels for notebooks and dashboards: a model with the state, a view that follows it."""
