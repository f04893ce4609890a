"""The table that a bench prints: ours, the peer, their ratio, the goal, and whether it was met."""


class Table:
    """Rows of what was measured; remembers whether a goal was missed."""

    def __init__(self):
        self.rows = []

    def add(self, what, ours="-", peer="-", ratio="-", goal="-", met=None):
        """met is None where a number is only stated."""
        self.rows.append({"what": what, "ours": ours, "peer": peer, "ratio": ratio, "goal": goal, "met": met})

    def missed(self):
        return [row["what"] for row in self.rows if row["met"] is False]

    def text(self):
        said = {None: "-", True: "yes", False: "NO"}
        lines = [["", "ours", "peer", "ratio", "goal", "met"]]
        lines += [[r["what"], r["ours"], r["peer"], r["ratio"], r["goal"], said[r["met"]]] for r in self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(6)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)
