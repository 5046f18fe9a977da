"""Scripts of developers: training, samples, checks. Their processes are many, so each has one thread of
BLAS."""

import os

# Threads of several processes on a few cores wait for each other: training took ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
