"""``python -m dwcp``: the same as the command ``dwcp``."""

from dwcp.cli import main

if __name__ == "__main__":
    main()
