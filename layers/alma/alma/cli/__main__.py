"""`python -m alma.cli`."""

from alma.cli.commands import main

raise SystemExit(main())
