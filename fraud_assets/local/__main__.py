"""`python -m fraud_assets.local`: the command line, where the console script is not on the path."""

from fraud_assets.local.cli import main

main()
