"""The speaker and the oracles lie beside these tests, as `speaking`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
