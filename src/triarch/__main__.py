"""`triarch`, and `python -m triarch`."""

import sys


def main() -> None:
    """Run the command line; what it needs is imported here, so that it can be broken off then too."""
    try:
        from triarch.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
