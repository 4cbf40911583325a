"""From recordings of real people to clips that training sees, and to whole lifted motions."""

from videomdm.cameras.ground import up_error
from videomdm.videos.heights import check_height, steady_size, unknown_height
from videomdm.videos.levelling import height_error, level
from videomdm.videos.lifted import LiftedRecording, lift_track, result_names, save, write_report
from videomdm.videos.material import CAMERA_AXES, Clip, Material, cut, gather, lift_clips, lift_observed
from videomdm.videos.other_lifters import other_lifter, usable_lifter
from videomdm.videos.windows import Whole, blend, lift_recording

__all__ = [
    "CAMERA_AXES", "Clip", "LiftedRecording", "Material", "Whole", "blend", "check_height", "cut", "gather",
    "height_error", "level", "lift_clips", "lift_observed", "lift_recording", "lift_track", "other_lifter",
    "result_names", "save", "steady_size", "unknown_height", "up_error", "usable_lifter", "write_report",
]  # fmt: skip
