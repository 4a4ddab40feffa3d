"""What became of each host's clips, counted while they are fetched and printed as one table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

COLUMNS = ("there", "new", "failed", "before", "refused", "not asked")
_MEANING = "before: failed in an earlier run and not asked again"


@dataclass(slots=True)
class Tally:
    """What one host gave.

    Attributes:
        outcomes: Clips by what became of them: `COLUMNS`, and `no address`, `removed`.
        reasons: Why clips are missing, by code.
        verdict: Why the host is no longer asked, "" if it is.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    verdict: str = ""

    def blame(self, reason: str, clips: int) -> None:
        """Counts a reason by its code, the part before the colon."""
        if reason:
            self.reasons[reason.partition(":")[0][:60]] += clips

    def why(self) -> str:
        """Returns what is missing and why, by code; "" if nothing is."""
        words = [f"{reason} x{count:,}" for reason, count in self.reasons.most_common(4)]
        words += [f"{self.outcomes[name]:,} {name}" for name in ("no address", "removed") if self.outcomes[name]]
        return "; ".join(words)


def table(tallies: Mapping[str, Tally]) -> list[str]:
    """Returns a line a host, the largest first, under a line of headings; columns without a clip are left out."""
    shown = [name for name in COLUMNS if any(tally.outcomes[name] for tally in tallies.values())]
    hosts = sorted(tallies, key=lambda host: (-sum(tallies[host].outcomes.values()), host))
    rows = [("host", *shown, "why")]
    for host in hosts:
        tally = tallies[host]
        rows.append(
            (host, *(f"{tally.outcomes[name]:,}" if tally.outcomes[name] else "-" for name in shown), tally.why())
        )
    lines = grid(rows)
    return [*lines, _MEANING] if "before" in shown else lines


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns rows of equal length as aligned lines: the first and last column to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        figures = "  ".join(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:], strict=True))
        lines.append(f"{row[0]:<{widths[0]}}  {figures}  {row[-1]}".rstrip())
    return lines
