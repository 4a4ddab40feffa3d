"""What a stage did, for whoever called it to print."""

from dataclasses import dataclass, field
from pathlib import Path

# So many refusals are listed; the rest are counted and stand in the files named.
_LISTED = 20


@dataclass(slots=True)
class Report:
    """What a stage did.

    Attributes:
        stage: The verb.
        counts: Figures by name, in the order to print.
        written: Files and folders written.
        details: A table, a line each.
        refused: What was not taken, a line each, with the reason.
        notes: Whatever else a user should know, a line each.
        reused: Items that were up to date and left as they were.
        next_step: What to do next.
    """

    stage: str
    counts: dict[str, int] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reused: int = 0
    next_step: str = ""

    def lines(self) -> list[str]:
        """Returns the report as lines to print."""
        figures = ", ".join(f"{value:,} {name}" for name, value in self.counts.items())
        lines = [f"{self.stage}: {figures}" + (f" ({self.reused:,} up to date, not done again)" if self.reused else "")]
        lines += [f"  {line}" for line in self.details]
        lines += [f"  refused  {line}" for line in self.refused[:_LISTED]]
        if len(self.refused) > _LISTED:
            lines.append(f"  refused  ... and {len(self.refused) - _LISTED:,} more")
        lines += [f"  note     {line}" for line in self.notes]
        lines += [f"  wrote    {path}" for path in self.written]
        if self.next_step:
            lines.append(f"  next     {self.next_step}")
        return lines
