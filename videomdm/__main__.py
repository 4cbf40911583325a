"""``python -m videomdm`` is the command ``videomdm``."""

import sys

from videomdm.command import main

if __name__ == "__main__":
    sys.exit(main())
