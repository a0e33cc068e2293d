"""`python -m orchestration.cli` is the command `journeyline`."""

from orchestration.cli.main import main

main()
