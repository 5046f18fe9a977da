"""From examples to a model, its calibration and its figures; no storage."""
