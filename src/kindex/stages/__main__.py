"""`python -m kindex.stages STAGE KEY`: what DVC calls. A night's fork server runs it, if there is one, else this process."""

import sys

from kindex.stages.parts.handover import handed_over

if __name__ == "__main__":
    code = handed_over(sys.argv[1:])
    if code is None:
        from kindex.stages.parts.running import main

        code = main(sys.argv[1:])
    sys.exit(code)
