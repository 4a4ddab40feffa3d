"""Sign recognition with vision-language models."""
