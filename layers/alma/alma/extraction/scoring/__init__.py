"""Candidates scored: features, the model, rules between fields, calibrated confidence."""
