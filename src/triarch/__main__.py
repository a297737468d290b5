"""`python -m triarch`."""

from triarch.cli import main

main()
