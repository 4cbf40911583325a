"""Files laid out as Fit3D's are."""

import json

import torch

TO_Z_UP = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # (x, y, z) -> (x, -z, y)
PINHOLE = {"f": [[1039.0, 1035.0]], "c": [[476.4, 449.0]]}
DISTORTION = {"k": [[-0.145, 0.112, 0.0034]], "p": [[-0.0072, 0.0062]]}
SAME = {
    "spine": "spine2", "thorax": "neck", "neck": "head", "left_toe_inner": "left_foot", "left_toe_outer": "left_foot",
    "right_toe_inner": "right_foot", "right_toe_outer": "right_foot", "left_hand_inner": "left_wrist",
    "left_hand_outer": "left_wrist", "right_hand_inner": "right_wrist", "right_hand_outer": "right_wrist",
}  # fmt: skip


def camera_json(camera):
    rotation = camera.rotation @ TO_Z_UP.T
    return {
        "extrinsics": {"R": rotation.tolist(), "T": [(TO_Z_UP @ camera.center).tolist()]},
        "intrinsics_w_distortion": PINHOLE | DISTORTION,
        "intrinsics_wo_distortion": {key: value[0] for key, value in PINHOLE.items()},
    }


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path
