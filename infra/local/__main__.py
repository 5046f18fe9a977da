"""`python -m infra.local`: alma on this machine; see `infra.local.demo`."""

import sys

from infra.local.demo import main

if __name__ == "__main__":
    sys.exit(main())
