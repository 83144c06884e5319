"""Where a monitor tells what it sees."""

from attention_zoo.watch.events import Event
from attention_zoo.watch.judgement import Judgement


class Sink:
    """Base of what a monitor tells; each method does nothing unless a sink says otherwise.

    What a sink raises never reaches the one who is watched: the monitor counts and logs it.
    """

    def window(self, judgement: Judgement, step: int) -> None:
        """Take the judgement of each window.

        Args:
            judgement: of the window.
            step: of the training, or number of the window in serving.
        """

    def event(self, event: Event) -> None:
        """Take an alert or an all-clear."""

    def close(self) -> None:
        """Write what is left, and let go of files and threads."""
