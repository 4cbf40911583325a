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
# Keypoints that lie beside the video (`squat.json`, `squat.npz` or a folder `squat/` for `squat.mp4`) are used; without them a detector looks for people: BlazePose, which is part of the package, or the paper's RTMPose, which downloads its weights (`pip install 'videomdm[video]'`).
# Where several people are seen, each has a number in the pictures, and `-p person 1` takes another than the main one.
# The prior is the one that comes with the package ([](evaluate_shipped)), or `prior`, the folder of a finished run of `train_humanml.py` or of `train_video.py`.
# Without `video` the page films a built-in motion, whose truth is known.

# %% tags=["parameters"]
video: str | None = None  # file; None films a built-in motion
prior: str | None = None  # folder of a finished run; None takes the prior that comes with the package
profile: str | None = None  # smoke, laptop, study or paper: train a prior so on the built-in corpus, and take that
caption: str | None = None  # what the person does; None takes what lies beside the video, or its name
field_of_view: float | None = None  # degrees across the image's diagonal; None takes the file's, else 53
person: int = 0  # which person, by the numbers in the picture below; 0 is the main one
height: float | None = None  # metres from floor to crown that the person has; None takes an adult's mean
detector: str = "auto"  # rtmpose or blazepose; auto is RTMPose where its package and weights are there, else BlazePose
moving_camera: bool = False  # take a recording whose camera moves all the same
seed: int = 0
runs: str = "runs"  # where run folders, caches and results go
out: str | None = None  # folder for the results; None takes one in runs, named after the video and where it lies

# %%
from dataclasses import replace
from pathlib import Path

from IPython.display import display

from videomdm import features, sample, train, videos
from videomdm.conventions import DataError
from videomdm.data import recordings
from videomdm.data.recordings import demonstration, keypoint_npz, names
from videomdm.data.recordings.video import overlay_video, sheet, write_overlay
from videomdm.evaluation.lifting import lifting_errors
from videomdm.pages.parameters import check_parameters
from videomdm.plots import Picture, keypoints_over, metrics_table, player
from videomdm.storage.film import codec

check_parameters(globals())
videos.check_height(height)
scenes = None
if video is None:
    scenes = demonstration.write(Path(runs) / "one-video", 1, unfit=False)
    video = Path(runs) / "one-video" / f"{next(iter(scenes))}.mp4"
    print(f"no video given: filmed {video}")

# %% [markdown]
# ## What is seen
#
# The main person's keypoints, at 20 frames a second, smoothed.
# Joints that the detector did not see are put where the body would have taken them (grey rings); nothing below trusts these places, and the arrays mark them as `unseen`.

# %%
track, words, source = recordings.load_one(
    video, detector, field_of_view, moving_camera, cache=Path(runs) / "cache", person=person
)
caption = caption or words[0]
out = Path(out or Path(runs) / "lifted" / names.folder_of(video))
print(f"{caption!r}: {len(track)} frames, {len(track) / track.fps:.1f} s")
for note in track.notes:
    print(f"- {note}")
film = overlay_video(track, video)
if film:
    display(Picture(sheet(film, track)))

# %% [markdown]
# ## Lifting
#
# The teacher lifts the whole recording at once, and its motion is held against it: bones keep their length, joints move towards the rays on which they were seen ({py:func}`videomdm.cameras.fitting.fit`).
# It also says where up and the floor are; the camera stands still, so all of the recording has the same.
# The prior knows clips of a few seconds, so it goes on from there in windows that overlap: a little noise is added, its prediction is moved onto the rays, step by step (appendix G.2), and the camera turns and moves with it, but does not tilt.
# What is delivered is an average of the teacher's motion and the prior's, held against the recording; how much of it is the prior's was chosen on people whom no prior had seen ([](evaluate_real_people)), and the report says it.
# The report below says how well each window's camera, found by PnP (appendix I), explains the keypoints: where it does not, teacher and keypoints disagree.

# %%
if prior and profile:
    raise DataError(f"prior {prior!r} and profile {profile!r}, expected one of them: a prior to take or one to train")
run = Path(prior) if prior else sample.SHIPPED
if profile:
    run = train.fit(train.profile(profile, seed=seed, runs=runs))
model = sample.load(run)
lifted = videos.lift_track(model, track, source, caption, seed, height)
print(f"prior: {run.name}\nteacher: {lifted.teacher}\n{lifted.motions.report}")

# %%
motions = {way: joints for way, (joints, _) in lifted.ways.items()}
if scenes:
    truth, true_camera = demonstration.ground_truth([track], scenes)
    motions["truth"] = features.canonicalise(truth.clip(0), floor="median")
player(motions, title=caption)

# %% [markdown]
# In the book, <a href="../_static/compare/videos.html">six built-in films lifted by the teacher and by a prior</a> play side by side, with the truth in grey (`python -m videomdm.study.motions videos`).

# %% [markdown]
# ## How good it is
#
# The motion seen by its camera, over the keypoints in grey:

# %%
joints, camera = lifted.ways[videos.lifted.DELIVERED]
keypoints_over(camera.project(joints)[0], over=track.keypoints)

# %% [markdown]
# Where the truth is not known, four numbers say how good it is: how far the projected joints are from the keypoints, how much bones change their length, how smooth the motion is, and how often feet that stand slide.
# The prior's motion is fitted to the rays and to constant bones: that both errors are small says nothing about depth.
# Size and depth cannot be told apart by one camera: without `height` the person is taken to be as tall as adults are on average, 1.68 m, and all distances scale with that.
# Both motions are in the arrays, with the joints that were not seen marked; which of the two is delivered is `videomdm.videos.lifted.DELIVERED`.

# %%
rows = []
for name, found in lifted.measures().items():
    row = {
        "": name, "reprojection, % of size": found["reprojection"], "bones change by %": found["bones"],
        "acceleration m/s²": found["acceleration"], "skating": found["skating"],
    }  # fmt: skip
    if scenes:
        joints, camera = lifted.ways[name]
        errors = lifting_errors(joints[None], camera[None], truth, true_camera)
        row |= {"MPJPE mm": errors["mpjpe"], "after Procrustes mm": errors["pa_mpjpe"]}
        row["acceleration error m/s²"] = errors["acceleration_error"]
        row["up is off by degrees"] = float(videos.up_error(camera[None], true_camera))
    rows.append(row)
display(metrics_table(rows))
print(
    f"delivered: the {videos.lifted.DELIVERED}'s; {100 * float(lifted.unseen.float().mean()):.0f} % of the joints were not seen"
)

# %% [markdown]
# ## Taking it away
#
# Both motions as arrays, the delivered one as BVH (metres and centimetres, Y up, starting at the origin and facing +Z), a report, the keypoints, and two videos to check by eye, which a browser plays: what was seen, and the lifted motion projected into the video.
# The command `videomdm lift` writes the first three, for one recording or a folder of them.

# %%
written = videos.save(lifted, out)
videos.write_report(out / "report.json", [lifted.report()], run)
keypoint_npz.save(track, out / "keypoints.npz")
if film:
    joints, camera = lifted.ways[videos.lifted.DELIVERED]
    projected = replace(track, keypoints=camera.project(joints)[0])
    write_overlay(film, track, out / "keypoints.mp4")
    write_overlay(film, projected, out / "lifted.mp4")
for path, off in written.items():
    if off:
        print(f"{path.name}: joints are {off['mean_mm']:.1f} mm off the motion's, at most {off['max_mm']:.1f}")
print(f"films are in {codec()}")
for path in sorted(out.glob("*")):
    print(f"{path!s:70} {path.stat().st_size / 1e6:8.3f} MB")
