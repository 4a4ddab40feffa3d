"""Sign recognition with vision-language models: from clips to an adapter and numbers that can be published."""
