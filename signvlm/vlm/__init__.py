"""The vision-language recogniser: base, prompt, collator, trainer, ranking, beams."""
