"""The recogniser over key points: a small network that a laptop trains in a minute."""
