# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From your own videos to a motion prior
#
# A folder of videos goes in; a prior that has learned from them, and motions, come out.
# Nobody wore markers and no camera was calibrated: all there is are 2-D keypoints, and what VideoMDM makes of them.
#
#     papermill notebooks/train_video.py out.ipynb -p videos DIR
#     papermill notebooks/train_video.py out.ipynb -p videos DIR -p prior RUN -p field_of_view 68 -p height 1.75
#
# What the folder may hold, side by side under one name:
#
# - `squat.mp4` (or mov, avi, mkv, webm ...), filmed by a camera that stands still;
# - `squat.json`, `squat.npz` or a folder `squat/`: keypoints by AlphaPose, MMPose, OpenPose or in the project's own format.
#   Without them a detector looks for people: BlazePose, which is part of the package, or the paper's RTMPose, which downloads its weights (`pip install 'videomdm[video]'`);
# - `squat.txt`, one caption per line; or one table `captions.csv` with the columns `file,caption`.
#   Without either the file's name is the caption: `jumping_jack_03.mp4` says "jumping jack", `IMG_9732.mp4` nothing;
# - `squat.wham.pkl`, `squat.motionbert.npy`, `squat.mvlift.npy` or `squat.elepose.npy`: what another lifter found, to be the teacher in place of our own.
#
# Without `videos` the page films its own: built-in motions, rendered, seen by a detector that errs as detectors do.
# Then the truth is known, and every step below is compared with it.

# %% tags=["parameters"]
videos: str | None = None  # folder of videos; None films built-in motions
prior: str | None = None  # folder of a finished run to start from; None takes the one that comes with the package
profile: str = "laptop"  # smoke, laptop, study or paper: how long it is trained
method: str | None = None  # see videomdm.methods.ROWS; None refines cameras, all but distance if height is given
field_of_view: float | None = None  # degrees across the image's diagonal; None takes the file's, else 53
height: float | None = None  # metres from floor to crown; None trains on the teacher's guess and lifts adults' mean
detector: str = "auto"  # rtmpose or blazepose; auto is RTMPose where its package and weights are there, else BlazePose
moving_camera: bool = False  # take recordings whose camera moves all the same
person: int = 0  # which of several people, by the numbers in the overlays; 0 is the main one
persons: str | None = None  # other people in some recordings, such as squat=1,monday/jump=2
keep_invented: bool = False  # train also on clips of which legs, or half of the body, were not seen
seed: int = 0
runs: str = "runs"  # where run folders, caches and the demonstration's videos go

# %%
from dataclasses import replace
from pathlib import Path

from IPython.display import display

from videomdm import features, sample, train
from videomdm.cameras.footage import Footage
from videomdm.data import recordings
from videomdm.data.recordings import demonstration, keypoint_npz, names
from videomdm.data.recordings.video import overlay_video, sheet, write_overlay
from videomdm.evaluation.lifting import clip_errors, lifting_errors, without_truth
from videomdm.export.deliver import deliver, write
from videomdm.pages.parameters import check_parameters
from videomdm.plots import Picture, loss_curves, metrics_table, player
from videomdm.skeletons.definitions import SMPL22
from videomdm.storage.film import codec
from videomdm.videos import (
    check_height,
    gather,
    height_error,
    lift_observed,
    lift_recording,
    up_error,
    usable_lifter,
)

check_parameters(globals())
check_height(height)
scenes = None
if videos is None:
    videos = Path(runs) / "demonstration"
    scenes = demonstration.write(videos, 4 if profile == "smoke" else 8)
    print(f"no videos given: {len(scenes)} built-in motions filmed, and 2 recordings that are unfit on purpose")

# %% [markdown]
# ## What is in the folder
#
# The person who is seen longest and largest is followed, sides that a detector swapped are put right, gaps are filled and marked, everything is brought to 20 frames a second by the frames' own times and smoothed.
# Joints that were not seen are put where the body would have taken them, and count nowhere; the table says how much of each part of the body was seen, and clips of which legs, or half of the body, are a guess are left out.
# Nothing is left out silently, and what was seen is kept, so a second start of this page looks at no video twice.

# %%
found = recordings.load(
    videos, detector, intrinsics=field_of_view, moving_camera=moving_camera, on_error="skip",
    cache=Path(runs) / "cache", person=recordings.persons(persons) if persons else person,
)  # fmt: skip
start = Path(prior) if prior else sample.SHIPPED
base = sample.load(start).config
material = gather(found, base.data.max_frames, base.data.root_path, height, keep_invented)
observed = material.observations
print("\n".join([f"{len(found)} recordings are used, {len(found.skipped)} are not", *found.notes]))
metrics_table(material.rows())

# %% [markdown]
# Recordings are cut where the person rests (appendix C.4); every clip is lifted by the teacher, and its camera is the one that explains the keypoints best, given the teacher's motion (PnP, appendix I).
# How far the projected motion is from the keypoints says which cameras can be trusted:

# %%
print(material.report)

# %% [markdown]
# ## Which way is up
#
# A camera that nobody levelled does not know.
# Feet that stand are on one plane, and people keep their balance over it: from the two the floor is estimated, and motion and camera are turned until it is level.

# %%
print(f"floors leaned by {up_error(material.before, observed.camera).mean():.1f} degrees")
if scenes:
    truth, true_camera = demonstration.ground_truth([clip.track for clip in material.clips], scenes)
    sides = ((material.before, material.unlevelled()), (observed.camera, observed.teacher))
    (up_before, height_before), (up_after, height_after) = (
        (up_error(c, true_camera).mean(), height_error(x, truth.joints, truth.lengths).mean()) for c, x in sides
    )
    print(f"up is off by {up_before:.1f} degrees with the camera from PnP, and by {up_after:.1f} once it is levelled;")
    print(f"the root's height errs by {height_before:.0f} mm over a clip before, by {height_after:.0f} mm after")
    assert up_after < up_before

# %% [markdown]
# ## A prior to start from
#
# A few minutes of video hold little of how people move.
# So training starts from a prior, the one that comes with the package ([](evaluate_shipped)) where no other is named, and reads the videos in that prior's units.

# %%
method = method or ("videomdm-pnp/sized" if height else "videomdm-pnp/refined")
config = base.but(
    data=f"videos-{observed.fingerprint()}", data_root=None, method=method, start=str(start), seed=seed, runs=runs,
    profile=profile, steps=train.profile(profile).optimiser.steps,
)  # fmt: skip
run = train.fit(config, observed)
print(
    f"{len(observed)} clips, {int(observed.lengths.sum()) / observed.fps:.0f} s; {config.optimiser.steps} batches\n{run}"
)
loss_curves(
    [{name: value for name, value in row.items() if name != "seconds"} for row in train.history(config)],
    title="Fine-tuning on the videos: each term before its weight",
)

# %% [markdown]
# ## Lifting with it
#
# Each clip is lifted three times: by the teacher, by the prior that training started from, and by the one that learned from the videos.
# The priors put every predicted frame where its size says, move its joints onto the rays that were seen (appendix G.2), and correct the camera as they go.
# Where the truth is known, the prior is also given the true camera, its focal length and its place: what is left then is not the camera's doing.

# %%
captions = [clip[0] for clip in observed.captions]
lifted = {"teacher": (observed.teacher, observed.camera)}
for name, folder in (("prior", start), ("fine-tuned", run)):
    lifted[name] = lift_observed(sample.load(folder), observed, seed, height=height)
ways = dict(lifted)
if scenes:
    standing, camera = features.canonicalise_with_camera(truth.joints, true_camera, lengths=truth.lengths)
    seen = recordings.footage([demonstration.calibrated(clip.track) for clip in material.clips])
    known = replace(observed, seen=seen.by(camera), frame="truth")
    ways["prior, given the true camera"] = lift_observed(sample.load(start), known, seed, height=height)

# %%
measured, errors = {}, {}
for name, (joints, camera) in ways.items():
    seen = observed.seen if name in lifted else known.seen
    measured[name] = without_truth(joints, seen.by(camera))
    errors[name] = lifting_errors(joints, camera, truth, true_camera) if scenes else {}
titles = {
    "reprojection": "reprojection, % of size",
    "bones": "bones change by %",
    "acceleration": "acceleration m/s²",
    "skating": "skating",
}
true = {"mpjpe": "MPJPE mm", "pa_mpjpe": "after Procrustes mm", "acceleration_error": "acceleration error m/s²"}
metrics_table([
    {"lifted by": name, **{title: float(measured[name][k].mean()) for k, title in titles.items()},
     **{title: errors[name][k] for k, title in true.items() if scenes}}
    for name in ways
])  # fmt: skip

# %% [markdown]
# And clip by clip, without what the priors' reprojection errors are by construction:

# %%
metrics_table([
    {"clip": observed.names[i], "caption": captions[i], "camera from PnP, % of size": 100 * float(relative),
     "reprojection, teacher": float(measured["teacher"]["reprojection"][i]),
     **{f"{k}, {name}": float(measured[name][k][i]) for k in ("acceleration", "skating") for name in lifted}}
    for i, relative in enumerate(material.report.relative[~material.report.bad])
])  # fmt: skip

# %% [markdown]
# Where the truth is known, how large the people came out, and how far each clip is from it:

# %%
if scenes:
    rows = [{"clip": name} for name in observed.names]
    for way, (joints, camera) in ways.items():
        clips = clip_errors(joints, camera, truth, true_camera)
        for row, error, size in zip(rows, clips["mpjpe"], clips["body_height"], strict=True):
            row |= {f"MPJPE mm, {way}": float(error), f"size %, {way}": float(size)}
    display(metrics_table(rows))

# %% [markdown]
# ### What the numbers say
#
# That a prior's joints lie on the rays is so by construction and says nothing about depth.
# The built-in films show motions of kinds that the prior's own corpus has, so they do not show what fine-tuning is for: videos of what that corpus does not have.
# Their rows say two things, and no more: what the prior makes of what it was given, and what it would make of it if it were told the true camera.
# Neither is good in the book's copy of this page: lifted by the prior these people are much further from the truth than the teacher's motions, and fine-tuned hardly less.
# The true camera does not help, either; the next section says why.
# That is why recordings are delivered with a small share of the prior, as the last section has it.

# %%
if scenes:
    mpjpe = {name: row["mpjpe"] for name, row in errors.items()}
    print("skating: " + ", ".join(f"{float(row['skating'].mean()):.2f} ({name})" for name, row in measured.items()))
    print(f"the camera costs the prior {mpjpe['prior'] - mpjpe['prior, given the true camera']:.0f} mm")

# %% [markdown]
# ### Whose errors they are
#
# Where the truth is known, one of three things can be changed at a time: whether keypoints are as the detector has them, freed of each joint's mean offset in a clip, or the truth's own; whether the true camera stays where it is or may be corrected; and whether the prior learned from 2-D or, as its twin that comes with the package, from true motions.

# %%
if scenes:
    points, depth = known.seen.camera.project(standing)
    inside = known.seen.valid[..., None, None]
    off = (known.seen.keypoints - points) * inside
    offset = off.sum(1, keepdim=True) / inside.sum(1, keepdim=True)
    exact = replace(known, seen=Footage.of(points, known.seen.camera, truth.lengths))
    centred = replace(known, seen=replace(known.seen, keypoints=known.seen.keypoints - offset))
    twin = sample.SHIPPED.parent / "twin"
    parts = []
    for keypoints, given in (("as detected", known), ("without their offset", centred), ("exact", exact)):
        for frame, camera_is in (("truth", "stays"), ("pnp", "may move")):
            row = {"keypoints": keypoints, "true camera": camera_is}
            for name, folder in (("prior, from 2-D: MPJPE mm", start), ("its twin, from 3-D: MPJPE mm", twin)):
                joints, own = lift_observed(sample.load(folder), replace(given, frame=frame), seed, height=height)
                row[name] = lifting_errors(joints, own, truth, true_camera)["mpjpe"]
            parts.append(row)
    display(metrics_table(parts))
    far = 1000 * (off * depth[..., None]).sum((0, 1)) / inside.sum()
    for joint in far.norm(dim=-1).argsort(descending=True)[:6].tolist():
        print(f"{SMPL22.joints[joint]}: detected {-far[joint, 1]:.0f} mm above its place, on average")

# %% [markdown]
# Lifting itself is sound: of exact keypoints and the true camera, the twin makes motions that err no more than the teacher's.
# From there, errors add up.
#
# Keypoints as they are detected make two thirds of what the twin errs by, most of it by offsets that stay: without these it errs by half as much, and what is left of trembling is little.
# No detector sees the spine, the neck's joint or the collars: they are read off hips, shoulders and ears by the proportions of SMPL's mean body ({py:mod}`videomdm.skeletons.layouts`), and the built-in people have them lower, as the lines above say.
# We think that a teacher weighs such joints, while a step onto the rays takes them for seen and bends the trunk until they are.
#
# The prior from 2-D loses a fifth by the same offsets; the rest is its own.
# A camera that may move takes much of either up: it turns and shifts until more of what was predicted fits.
# So that pays wherever something is wrong, and costs only where nothing is: the twin with exact keypoints.

# %% [markdown]
# ## To check by eye
#
# For the first clip of some recordings: keypoints over the frames (left limbs blue, right ones orange, thin where unsure), then the motions made of them; in grey the truth, where it is known.

# %%
first = {}
for i, clip in enumerate(material.clips):
    first.setdefault(clip.recording, i)
for recording, i in list(first.items())[:4]:
    track, n = material.clips[i].track, int(observed.lengths[i])
    if film := overlay_video(track, found.sources[recording].video):
        display(Picture(sheet(film, track)))
    ghosts = {"teacher": features.canonicalise(truth.clip(i), floor="median")} if scenes else None
    display(player({name: joints[i, :n] for name, (joints, _) in lifted.items()}, ghosts=ghosts, title=captions[i]))

# %% [markdown]
# In the book, <a href="../_static/compare/videos.html">six built-in films lifted by the teacher and by a prior</a> play side by side, with the truth in grey (`python -m videomdm.study.motions videos`).

# %% [markdown]
# ## Motions it generates
#
# From the captions alone, no video any more.

# %%
model = sample.load(run)
texts = list(dict.fromkeys(captions))[:6]
generated = deliver(model, texts, run / "motions", seed=seed)
for some in (texts[:3], texts[3:]):
    if some:
        display(player({text[:32]: generated[texts.index(text)] for text in some}))

# %% [markdown]
# ## Taking it away
#
# A recording as a whole is lifted by teacher and prior together ([](lift_video) shows both), with as much of the prior as was best on people whom it had not seen ([](evaluate_real_people)).
# Generated motions, and every recording lifted as a whole, are arrays (`motions.npz`) and BVH: `NAME.bvh` has constant bones for rigs, `NAME-exact.bvh` meets every joint, and `report.json` says how far the first is from the motion.
# Keypoints are npz files in the project's own format, to be edited and read again; an overlay video, which a browser plays, shows for each recording what was taken from it.

# %%
whole = []
for track, source, words in zip(found.tracks, found.sources, found.captions, strict=True):
    other, _ = usable_lifter(track, source)
    whole.append(lift_recording(model, track, words[0], other, model.config.data.root_path, seed, height=height).joints)
metrics_table(
    [{"file": file, **row} for file, row in write(run / "lifted", whole, [t.name for t in found.tracks]).items()]
)

# %%
(run / "keypoints").mkdir(parents=True, exist_ok=True)
stems = names.unique(track.name for track in found.tracks)
for track, source, stem in zip(found.tracks, found.sources, stems, strict=True):
    keypoint_npz.save(track, run / "keypoints" / f"{stem}.npz")
    if film := overlay_video(track, source.video):
        write_overlay(film, track, run / "keypoints" / f"{stem}.mp4")
print(f"films are in {codec()}")
for path in sorted(run.rglob("*")):
    if path.is_file() and "checkpoints" not in path.parts:
        print(f"{path.relative_to(run)!s:60} {path.stat().st_size / 1e6:8.3f} MB")
