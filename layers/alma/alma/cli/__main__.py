"""`python -m alma.cli`."""

from alma.cli.app import main

raise SystemExit(main())
