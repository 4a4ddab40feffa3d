"""Key points of clips: extracted or brought along, kept beside the frames, made ready and drawn."""
