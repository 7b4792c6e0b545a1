"""`python -m berth.cli` is `berth`."""

from berth.cli.main import main

main()
