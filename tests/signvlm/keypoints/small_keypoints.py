"""The configuration of a detector so small that it trains in seconds."""

SMALL = (
    "keypoints.size=128",
    "keypoints.head_channels=8",
    "keypoints.steps=6",
    "keypoints.quarter_size=0.0",
    "keypoints.half_size=0.5",
    "keypoints.batch_size=4",
    "keypoints.evaluate_every=3",
    "model.device=cpu",
)
