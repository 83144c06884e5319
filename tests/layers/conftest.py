"""Cases and oracles lie beside these tests, as `cases` and `oracles`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
