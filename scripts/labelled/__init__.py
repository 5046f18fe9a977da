"""Documents whose fields somebody has labelled: reading them, and scoring what was read against the labels.

What trains models and what measures them share it: `benchmarks` imports `scripts`, never the other way.
"""
