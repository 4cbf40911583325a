# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One video into 3-D
#
# A video of a person goes in, a 3-D motion comes out, as arrays and as BVH for Blender.
# A teacher guesses the third dimension, and a prior that knows how people move corrects it, held to the keypoints that were seen.
#
#     papermill notebooks/lift_video.py out.ipynb -p video FILE
#     papermill notebooks/lift_video.py out.ipynb -p video FILE -p prior RUN -p caption "a person walks and waves" -p height 1.75
#
# Keypoints that lie beside the video (`squat.json`, `squat.npz` or a folder `squat/` for `squat.mp4`) are used; without them RTMPose looks for people (`pip install 'videomdm[video]'`).
# `prior` is the folder of a finished run, of `train_humanml.py` or of `train_video.py`.
# Without `video` the page films a built-in motion, whose truth is known.

# %% tags=["parameters"]
video = None  # file; None films a built-in motion
prior = None  # folder of a finished run; None trains one on the built-in corpus
profile = "laptop"  # smoke, laptop, study or paper: of the prior, where one is trained
caption = None  # what the person does; None takes what lies beside the video, or its name
field_of_view = None  # degrees across the image's diagonal; None assumes 53
height = None  # metres from floor to crown that the person has; None lets the teacher guess
moving_camera = False  # take a recording whose camera moves all the same
seed = 0
runs = "runs"  # where run folders, caches and results go
out = None  # folder for the results; None takes one in runs, named after the video and where it lies

# %%
from dataclasses import replace
from pathlib import Path

import torch
from IPython.display import display

from videomdm import features, sample, train
from videomdm.data import recordings
from videomdm.data.recordings import demonstration, keypoint_npz, names
from videomdm.data.recordings.video import below, sheet, write_overlay
from videomdm.evaluation.lifting import lifting_errors, without_truth
from videomdm.export.deliver import write
from videomdm.pages.papermill_io import check_parameters
from videomdm.plots import Picture, keypoints_over, metrics_table, player
from videomdm.storage.film import codec
from videomdm.videos import check_height, lift_recording, other_lifter, up_error

check_parameters(
    globals(),
    {"video", "prior", "profile", "caption", "field_of_view", "height", "moving_camera", "seed", "runs", "out"},
)
check_height(height)
scenes = None
if video is None:
    scenes = demonstration.write(Path(runs) / "one-video", 1, unfit=False)
    video = Path(runs) / "one-video" / f"{next(iter(scenes))}.mp4"
    print(f"no video given: filmed {video}")

# %% [markdown]
# ## What is seen
#
# The main person's keypoints, at 20 frames a second, filled where the detector lost them (grey) and smoothed.

# %%
track, words, source = recordings.load_one(
    video, intrinsics=field_of_view, moving_camera=moving_camera, cache=Path(runs) / "cache"
)
caption = caption or words[0]
out = Path(out or Path(runs) / "lifted" / names.folder_of(video))
print(f"{caption!r}: {len(track)} frames, {len(track) / track.fps:.1f} s")
for note in track.notes:
    print(f"- {note}")
film = below(track, video)
if film:
    display(Picture(sheet(film, track)))

# %% [markdown]
# ## Lifting
#
# The prior knows clips of a few seconds, so a longer recording is covered by windows that overlap.
# Each window's camera is the one that explains the keypoints best, given the teacher's motion (PnP, appendix I); then the prior's own prediction is moved onto the rays, step by step (appendix G.2), and the camera is corrected with it.
# At the end the floor that the feet stand on is turned level.

# %%
run = Path(prior) if prior else train.fit(train.profile(profile, seed=seed, runs=runs))
model = sample.load(run)
other = other_lifter(source, track.fps)
whole = lift_recording(model, track, caption, other, model.config.data.root_path, seed, height=height)
print(f"prior: {run.name}\nteacher: {'own' if other is None else other.lifter}\n{whole.report}")

# %%
motions = {"teacher": whole.teacher, "prior": whole.joints}
if scenes:
    truth, true_camera = demonstration.behind([track], scenes)
    motions["truth"] = features.canonicalise(truth.clip(0), floor="median")
player(motions, title=caption)

# %% [markdown]
# ## How good it is
#
# The motion seen by its camera, over the keypoints in grey:

# %%
keypoints_over(whole.camera.project(whole.joints)[0], over=track.keypoints)

# %% [markdown]
# Where the truth is not known, three numbers tell: how far the projected joints are from the keypoints, how smooth the motion is, and how often feet that stand slide.
# The prior's joints are on the rays by construction: that its reprojection error is 0 says nothing about depth.
# Size and depth cannot be told apart by one camera, so absolute sizes are a guess unless `height` tells them, and a prior is as good as its training: with the laptop's few minutes its poses are as good as the teacher's (after Procrustes alignment), its camera is not.

# %%
ours = {"teacher": (whole.teacher, whole.teacher_camera), "prior": (whole.joints, whole.camera)}
seen = track.confidence[None], torch.tensor([len(track)])
rows = []
for name, (joints, camera) in ours.items():
    found = without_truth(joints[None], track.keypoints[None], camera[None], *seen)
    row = {
        "": name, "reprojection, % of size": float(found["reprojection"]),
        "acceleration m/s²": float(found["acceleration"]), "skating": float(found["skating"]),
    }  # fmt: skip
    if scenes:
        errors = lifting_errors(joints[None], camera[None], truth, true_camera)
        row |= {"MPJPE mm": errors["mpjpe"], "after Procrustes mm": errors["pa_mpjpe"]}
        row["acceleration error m/s²"] = errors["acceleration_error"]
        row["up is off by degrees"] = float(up_error(camera[None], true_camera))
    rows.append(row)
if scenes and profile == "laptop" and not height:
    assert abs(rows[1]["after Procrustes mm"] - rows[0]["after Procrustes mm"]) < 5
    assert rows[1]["MPJPE mm"] > rows[0]["MPJPE mm"]
metrics_table(rows)

# %% [markdown]
# ## Taking it away
#
# The motion as arrays and BVH (metres and centimetres, Y up, starting at the origin and facing +Z; `-exact.bvh` meets every joint, the other has constant bones for rigs), the keypoints, and two videos to check by eye, which a browser plays: what was seen, and the lifted motion projected into the video.

# %%
metrics_table([{"file": file, **row} for file, row in write(out, [whole.joints], [caption]).items()])

# %%
keypoint_npz.save(track, out / "keypoints.npz")
if film:
    projected = replace(track, keypoints=whole.camera.project(whole.joints)[0])
    write_overlay(film, track, out / "keypoints.mp4")
    write_overlay(film, projected, out / "lifted.mp4")
print(f"films are in {codec()}")
for path in sorted(out.glob("*")):
    print(f"{path!s:70} {path.stat().st_size / 1e6:8.3f} MB")
