"""`python -m diamondpay.run`."""

import sys

from diamondpay.run import supervisor

if __name__ == "__main__":
    sys.exit(supervisor.main())
