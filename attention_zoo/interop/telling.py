"""What an error of another library says, for one clear sentence."""

import re

PLACES = ("Exception encountered when", "Error when deserializing class")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def told(error: BaseException) -> str:
    """Return the first line of an error that tells what is wrong, of at most 300 characters."""
    lines = [COLOUR.sub("", line).strip() for line in str(error).splitlines()]
    # Keras puts the place first ("Exception encountered when calling GRU.call().", "Error when deserializing ...") and
    # the reason below it.
    lines = [line.removeprefix("Exception encountered: ") for line in lines]
    telling = [line for line in lines if line and not line.startswith(PLACES)]
    return telling[0][:300] if telling else type(error).__name__
