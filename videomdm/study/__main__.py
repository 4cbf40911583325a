import sys

from videomdm.study.study import main

if __name__ == "__main__":
    sys.exit(main())
