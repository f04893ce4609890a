"""What a trial found, line by line, and whether it was as it should be."""

import time


class Findings:
    """Prints findings as they come; counts those that are not as they should be."""

    def __init__(self):
        """Nothing yet."""
        self.failed, self.good, self.began = 0, 0, time.monotonic()

    def note(self, good, what):
        """Prints one finding; returns whether it was good."""
        self.failed += not good
        self.good += bool(good)
        print(f"{'ok    ' if good else 'FAILED'} {what}", flush=True)
        return bool(good)

    def tell(self, what):
        """Prints a line that is for whoever reads."""
        print(f"       {what}", flush=True)

    def seconds(self):
        """Since the beginning."""
        return time.monotonic() - self.began
