"""The 64 named key points of a person who signs, in the order that every pose of this package has."""

_FINGERS = ("index", "middle", "ring", "little")
HAND_JOINTS = (
    "wrist",
    *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")),
    *(f"{finger}_{joint}" for finger in _FINGERS for joint in ("mcp", "pip", "dip", "tip")),
)
KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle", *(f"left_hand_{name}" for name in HAND_JOINTS), *(f"right_hand_{name}" for name in HAND_JOINTS),
    "face_nose", "face_left_eye", "face_right_eye", "face_left_ear", "face_right_ear",
)  # fmt: skip
"""Left and right are the person's own. The first 17 are COCO's, each hand's 21 MediaPipe's, the last 5 a face's."""

BODY, LEFT_HAND, RIGHT_HAND, FACE = slice(0, 17), slice(17, 38), slice(38, 59), slice(59, 64)
"""Where the parts stand; a hand's first point is its wrist."""

SHOULDERS = (KEYPOINTS.index("left_shoulder"), KEYPOINTS.index("right_shoulder"))

_OTHER = {"left": "right", "right": "left"}
SWAPPED = tuple(KEYPOINTS.index("_".join(_OTHER.get(word, word) for word in name.split("_"))) for name in KEYPOINTS)
"""points[SWAPPED] has left and right exchanged, which a mirror image needs."""
