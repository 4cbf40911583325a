# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Real recordings
#
# The built-in films of [](../runs/lift_video) are drawn from motions that are known, so every step can be compared with the truth.
# They are also easy: one person, a plain background, a detector whose errors are drawn from a distribution.
# This page starts where you would start, with films of real people and nothing else: no keypoints, no calibration, no download.
#
# The films are not part of this project.
# The page uses them where the book is built beside them (`VIDEOMDM_DATA` names the folder that has `real/`); without them it shows the steps, and no pictures and no numbers but those of the files in `results/`.
#
#     papermill notebooks/lift_real_recordings.py out.ipynb -p data DIR -p prior RUN

# %% tags=["parameters"]
data: str | None = None  # folder of the recordings; None takes real/ in the folder that VIDEOMDM_DATA names
prior: str | None = None  # folder of a finished run; None takes the prior that comes with the package
seed: int = 0
runs: str = "runs"  # where run folders, caches and results go

# %%
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from IPython.display import display

from videomdm import sample, videos
from videomdm.cameras.unseen import seen_parts
from videomdm.conventions import DataError
from videomdm.data import bvh, recordings
from videomdm.data.recordings.names import folder_of
from videomdm.data.recordings.video import overlay_video, sheet, write_overlay
from videomdm.evaluation import real_people
from videomdm.export.deliver import write
from videomdm.pages.parameters import check_parameters
from videomdm.plots import Picture, Table, metrics_table, player
from videomdm.storage.film import codec
from videomdm.study import results as study
from videomdm.videos.windows import Mixing

check_parameters(globals())
root = Path(data or Path(os.environ.get("VIDEOMDM_DATA", "no data")) / "real")
checkout = Path("..") if Path("../results").is_dir() else Path(".")
if root.is_dir():
    print("This page was built with the recordings.")
else:
    print("This page was built WITHOUT the recordings: cells that need them show nothing.")

# %% [markdown]
# ## What to film with
#
# Any telephone or camera will do; what matters is how it is used.
#
# - **It stands still.** A tripod, a shelf, a stack of books. A recording whose camera turns or is carried is refused, because the person's path could not be told from the camera's.
# - **The whole person is in the picture**, feet included, and fills a good part of its height. Joints outside the picture are guessed, and marked as guessed.
# - **One person**, or one who is clearly the main one. Where several are followed, each has a number, and `person` takes another.
# - **Seen from all sides if you can choose**: a limb that points at the camera looks short whatever it does. A view from the side or obliquely from the front shows more of a squat than one from the front.
# - **Light and loose clothes**: a detector sees what you see. Wide skirts hide knees, dark trousers before a dark wall have no edges.
# - **Two numbers help**: the person's height (`height`), because one camera cannot tell a tall person far away from a small one nearby, and the camera's field of view (`field_of_view`, degrees across the image's diagonal), which data sheets of telephones give.
# - **A name that says what happens**: `person_lifts_a_box.mp4` becomes the caption *person lifts a box*, which the prior is told. `IMG_2041.mp4` becomes none.
#
# Upright or sideways, any frame rate, mp4, mov, avi, mkv and their like: [](../runs/lift_video) lists what is read.
#
# ## The recordings of this page
#
# - `walk_park.mp4`: a man on a low roof stretches his arms, walks to its edge and jumps off in a somersault, while a woman walks past. From the demonstration of Sports2D (<https://github.com/davidpagnon/Sports2D>).
# - `balance/cam01.mp4`, `cam03.mp4`: a person balances, filmed by two of four calibrated cameras. From the demonstration of Pose2Sim (<https://github.com/perfanalytics/pose2sim>), which triangulates the 3-D joints from all four: the only true 3-D on this page.
# - `lateral_raise`, `sit_walk`, `bicep_curls`: keypoints alone, found by BlazePose in public films that are not here.
#
# :::{dropdown} Licence of the films and of the pictures from them (BSD-3-Clause)
# Copyright (c) 2022, perfanalytics. All rights reserved.
#
# Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions are met:
#
# 1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following disclaimer.
# 2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following disclaimer in the documentation and/or other materials provided with the distribution.
# 3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote products derived from this software without specific prior written permission.
#
# THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
# :::

# %%
FILMS = {
    "walk_park": "walk_park.mp4",
    "balance, camera 1": "balance/cam01.mp4",
    "balance, camera 3": "balance/cam03.mp4",
}
KEYPOINTS = {name: f"keypoints/{name}.npz" for name in ("lateral_raise", "sit_walk", "bicep_curls")}
CAPTIONS = {
    "walk_park": "a man stretches his arms, walks and jumps", "lateral_raise": "a person raises both arms to the sides",
    "sit_walk": "a woman walks and sits down", "bicep_curls": "a person does bicep curls",
} | {name: "a person balances" for name in FILMS if name.startswith("balance")}  # fmt: skip


def alone(file):
    """A file in a folder of its own: keypoints that lie beside a film would be read in place of a detector's."""
    own = Path(runs) / "films" / file
    own.parent.mkdir(parents=True, exist_ok=True)
    return own if own.exists() else Path(shutil.copy2(root / file, own))


def read(files, **known):
    """Tracks and files by name, and why others were refused."""
    found, refused = {}, {}
    for name, file in files.items():
        try:
            track, _, source = recordings.load_one(alone(file), "blazepose", cache=Path(runs) / "cache", **known)
            found[name] = track, source
        except DataError as error:
            refused[name] = str(error)
    return found, refused


# %% [markdown]
# ## What the detector sees
#
# BlazePose {cite}`blazepose` is part of the package: two small networks, one that finds a person and one that finds 33 points on the body.
# What it found is kept beside the runs, so a second start looks at no film twice.
#
# A recording that cannot be used is refused with the reason.
# Of the others the table says how much there is, and for each part of the body in which share of the frames all of its joints were seen.

# %%
films, refused = read(FILMS if root.is_dir() else {})
for name, reason in refused.items():
    print(f"refused: {name}: {reason}")


def seen_table(tracks):
    """A row per recording: its length, and the share of frames that saw each part of the body."""
    rows = [
        {"": name, "seconds": len(track) / track.fps}
        | {part: f"{100 * share:.0f} %" for part, share in seen_parts(track.unseen).items()}
        for name, (track, _) in tracks.items()
    ]
    return metrics_table(rows) if rows else Table("*no recordings*")


seen_table(films)

# %% [markdown]
# What was noticed on the way, in the program's own words:

# %%
for name, (track, _) in films.items():
    print(name, *track.notes, sep="\n  - ")

# %% [markdown]
# Numbers do not show whether a knee was found on the knee.
# Always look: left limbs are blue, right ones orange, limbs that the detector was unsure of are thin, and joints that it did not see are grey rings.
# Where several people were followed, each has a box with the number by which `person` takes them.


# %%
def look(track, source, n=4):
    """Frames of a film with a track drawn over them, cut to where the person goes."""
    drawn = sheet(overlay_video(track, source.video), track, n)
    frames = drawn.reshape(len(drawn), n, -1, 3).swapaxes(0, 1)  # (n, height, width, 3)
    points = track.pixels.reshape(-1, 2)
    low, high = points.amin(0), points.amax(0)
    margin = 0.15 * float((high - low).max())
    (left, top), (right, bottom) = (x.int().clamp(min=0).tolist() for x in (low - margin, high + margin))
    frames = frames[:, top:bottom, left:right]
    columns = 2 if frames.shape[2] > frames.shape[1] else n
    return Picture(
        np.concatenate([np.concatenate(list(row), 1) for row in frames.reshape(-1, columns, *frames.shape[1:])])
    )


for name, (track, source) in films.items():
    print(name)
    display(look(track, source))

# %% [markdown]
# ## The third dimension
#
# Two motions are made of the keypoints.
# The **teacher**'s is what the lifter that the package ships makes of them.
# The **prior**'s begins with it: averaged with what the prior makes of it, led to the rays that were seen ([](explain_ray_projection)), it is held against the recording, so that bones keep their lengths and joints lie where they were seen.
# The prior's share in that average was chosen on validation recordings, and is printed below; where it is nothing, the motion is the teacher's, fitted to the recording.
# Both are in the result, and one of them is what is *delivered* as `joints`; the last column of the table below says which.
#
# The prior of this page is the one that comes with the package ([](../runs/evaluate_shipped)); `-p prior RUN` takes another.

# %%
model = sample.load(Path(prior) if prior else sample.SHIPPED)
config = model.config
print(f"prior: {config.method}, profile {config.profile}, trained on {config.data.source}")
print(f"its share in what is called the prior's motion: {100 * Mixing().share:.0f} %")

# %%
lifted = {
    name: videos.lift_track(model, track, source, CAPTIONS[name], seed) for name, (track, source) in films.items()
}


def motions_table(lifted):
    """What is known of motions without the truth."""
    rows = [
        {"": name, "motion": way, "reprojection, % of size": found["reprojection"],
         "acceleration m/s²": found["acceleration"], "skating": found["skating"],
         "delivered": "yes" if way == one.arrays()["delivered"] else ""}
        for name, one in lifted.items() for way, found in one.measures().items()
    ]  # fmt: skip
    return metrics_table(rows) if rows else Table("*no recordings*")


motions_table(lifted)

# %% [markdown]
# *Reprojection* is how far the motion, seen by its camera, is from the keypoints; a small one says nothing about depth.
# *Skating* is the share of frames in which a foot that should stand slides.

# %%
for name, one in lifted.items():
    display(player({way: joints for way, (joints, _) in one.ways.items()}, title=name))

# %% [markdown]
# The delivered motion, drawn back into the film by the camera that was found for it.
# Where a drawn limb leaves the limb of the picture, the motion is wrong; where it does not, depth may still be.

# %%
for name, one in lifted.items():
    track, source = films[name]
    joints, camera = one.ways[str(one.arrays()["delivered"])]
    print(name)
    display(look(replace(track, keypoints=camera.project(joints)[0], boxes=None), source))

# %% [markdown]
# ## How far from the truth
#
# For the balancing trial Pose2Sim triangulated 3-D joints from four calibrated cameras, and its calibration gives the field of view, 66.6 degrees.
# The person's height is taken as 1.75 m.
# Each film is lifted twice, as anybody would who knows nothing, and with these two numbers.
#
# Compared are the 12 joints of the limbs (shoulders, elbows, wrists, hips, knees, ankles), in the camera's axes, in two ways: with the middle of the hips put onto the true one in every frame (*root-aligned*), which counts wrong size and wrong direction, and after the similarity that fits every frame best (*Procrustes*), which counts the pose alone.
# *Up* is the angle between the vertical that was found and the true one.
# Detectors and markers mean different points by *hip* and *shoulder*, so a part of all these errors is a matter of definition; for the hips it is 5 mm at most ([](../runs/evaluate_teachers), *as landmarks*).

# %%
KNOWN = {"nothing": {}, "field of view and height": {"intrinsics": real_people.BALANCE["field_of_view"]}}
ERRORS = {"root-aligned mm": "mpjpe", "Procrustes mm": "pa_mpjpe", "up, degrees": "up"}
FPS = 60.0  # of the trial's films

rows = []
for known, given in KNOWN.items():
    tracks, _ = read({k: v for k, v in FILMS.items() if k in films and k.startswith("balance")}, **given)
    for name, (track, source) in tracks.items():
        one = videos.lift_track(model, track, source, CAPTIONS[name], seed, real_people.HEIGHT if given else None)
        truth = replace(real_people.balance(root / "balance", int(name[-1])), fps=FPS)
        seconds = torch.from_numpy(one.arrays()["times"])
        for way, (joints, camera) in one.ways.items():
            found = real_people.errors(joints, camera.rotation, camera.translation, seconds, truth)
            rows.append(
                {"": name, "known": known, "motion": way, **{title: found[key] for title, key in ERRORS.items()}}
            )
metrics_table(rows) if rows else Table("*no recordings*")

# %% [markdown]
# `python -m videomdm.study.real_people lift --help` measures the same with a prior of your own, and on filmed motion capture too.

# %% [markdown]
# ## Keypoints without a film
#
# Keypoints of another program are read in place of a film (here BlazePose's, in npz files of the project's own format).
# There are no pictures to look at, and whether the camera stood still cannot be checked.
#
# `lateral_raise` is longer than a prior's clips, which would take it in windows that overlap; in `sit_walk` the woman comes into the picture late; in `bicep_curls` the legs are outside the picture.
# What was never seen is not invented silently: the table says so, and the arrays mark those joints as `unseen`.

# %%
keypoints, refused = read(KEYPOINTS if root.is_dir() else {})
for name, reason in refused.items():
    print(f"refused: {name}: {reason}")
display(seen_table(keypoints))
lifted_keypoints = {
    name: videos.lift_track(model, track, source, CAPTIONS[name], seed) for name, (track, source) in keypoints.items()
}
motions_table(lifted_keypoints)

# %%
for name, one in lifted_keypoints.items():
    display(player({way: joints for way, (joints, _) in one.ways.items()}, title=name))

# %% [markdown]
# ## Taking it away
#
# For each recording `NAME.npz` has both motions, their cameras and which joints were not seen.
# For Blender and its like there are two BVH files: one of constant bones, which a rig can take, and an exact one, whose bones stretch as the motion's do; the table says how far the joints of each are from the motion's.
# Two overlay films are to be checked by eye: what was seen, and the delivered motion in the picture.

# %%
out, files = Path(runs) / "real-recordings", []
for name, one in (lifted | lifted_keypoints).items():
    folder = out / folder_of(name)
    npz, *_ = videos.save(one, folder)
    rows = write(folder, [one.joints], [name], unseen=[one.unseen])
    for file, row in rows.items():
        motion = bvh.read(folder / file)
        assert len(motion.values) == len(one.joints)
        files.append({"recording": name, "file": file, "frames": len(one.joints), "mean mm": row["mean_mm"],
                      "largest mm": row["max_mm"], "where": row["joint"], "MB": (folder / file).stat().st_size / 1e6})  # fmt: skip
    with np.load(npz) as arrays:
        assert arrays["joints"].shape == one.joints.shape
    if name in films:
        track, source = films[name]
        joints, camera = one.ways[str(one.arrays()["delivered"])]
        film = overlay_video(track, source.video)
        write_overlay(film, track, folder / "seen.mp4")
        write_overlay(film, replace(track, keypoints=camera.project(joints)[0], boxes=None), folder / "lifted.mp4")
        files += [{"recording": name, "file": f"{kind}.mp4 ({codec()})", "frames": len(track),
                   "MB": (folder / f"{kind}.mp4").stat().st_size / 1e6} for kind in ("seen", "lifted")]  # fmt: skip
metrics_table(files) if files else Table("*no recordings*")

# %% [markdown]
# `videomdm lift FILE --out DIR` does the same without a notebook.
#
# ## How long it takes
#
# Measured by `python -m benchmarks lift --video walk_park.mp4` in processes of their own with an empty cache.
# The prior is the one that comes with the package.
# Making the environment and downloading its packages come before and are not counted.
# *Start* is the time until Python has loaded the program.

# %%
rows = []
for result in study.read(checkout / "results", "benchmarks"):
    if result["method"].startswith("lift-"):
        m = result["metrics"]
        print(f"{m['video']}: {m['film_seconds']:.1f} s of film; {result['machine']}; commit {result['commit']}")
        for stage in ("start", "detection", "lifting", "export"):
            seconds = m[f"{stage}_seconds"]
            rows.append({"": stage, "seconds": seconds, "of all": f"{100 * seconds / m['command_seconds']:.0f} %"})
metrics_table(rows) if rows else Table("*not measured*")

# %% [markdown]
# ## What goes wrong
#
# - **Poses that the detector does not know.** In the middle of his somersault the man is upside down, and the detector loses him until he comes down; the notes above say for how long. What lies between is marked as not seen: the lifted motion bridges it, and shows no somersault. The woman who walks past is followed too, under a number of her own.
# - **People who cross.** When one person hides another, a tracker may go on with the wrong one. The numbers in the overlay show who was followed, and `person` chooses.
# - **Fast limbs.** A hand that moves far between two frames is blurred, and left and right are taken for each other; the notes count the frames in which sides were put right.
# - **What is outside the picture** is a guess. Legs that were never seen hang from the hips, and a motion made of them is fit for its upper half alone.
# - **Standing people may come out with bent knees or a lean.** One camera sees a knee that bends towards it only by a slightly shorter leg. The prior can only know poses that it was trained on.
# - **Size and distance are one number.** Without `height` an adult's mean is taken: a person's absolute size and path are as wrong as that.
# - **The vertical is found from the feet.** Somebody who stands on one spot says little about where the floor is; *up* in the table of errors says by how much it is off, and root-aligned errors count it in every joint.
# - **A prior is no oracle.** Whether it improves on its teacher depends on what it was trained on; no more of it is taken than helped on validation recordings, and the tables of this page show both motions for each recording with truth.
