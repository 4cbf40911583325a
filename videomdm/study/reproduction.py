"""The paper's claims: what it found, and which of our rows answer each (:mod:`videomdm.study.verdicts`)."""

from __future__ import annotations

from collections.abc import Sequence

from videomdm.study.verdicts import BEST, SEARCH, SEARCHED, Claim

_ABLATION = {"where": "Fig. 6(b)", "at_least": 1.0, "studies": ("ablations",)}
_LIFTING = {"where": "Table 2", "studies": ("table2",)}
_THIRD = {"where": "Table 3", "studies": ("table3-procedural", "table3-bandai")}  # NBA-like pictures
_ABSOLUTE = "seen_absolute/seen_mpjpe"  # appendix C.3: the lifter is aligned on a clip's first frame, ours is not

CLAIMS = (
    Claim(
        "Table 1", "Learning from 2-D with known cameras nearly closes the gap to 3-D supervision",
        0.88 / 0.54, ("videomdm", "mdm-3d"), at_most=0.88 / 0.54,
    ),
    Claim(
        "Table 1", "With known cameras it is better than MDM on the same lifter's motions",
        None, ("videomdm", "mdm-teacher"), at_most=1.0,
    ),
    Claim("Table 1", "... by roughly two times", 0.5, ("videomdm", "mdm-teacher"), at_most=0.5),
    Claim(
        "Table 1", "With cameras by PnP it is still better than MDM on the same lifter's motions",
        None, ("videomdm-pnp", "mdm-teacher"), at_most=1.0,
    ),
    Claim(
        "Table 1", "Known cameras are better than cameras by PnP", None, ("videomdm", "videomdm-pnp"), at_most=1.0,
    ),
    Claim("Table 1", "MAS is behind, also behind cameras by PnP", None, ("mdm-2d", "videomdm-pnp"), at_least=1.0),
    Claim(
        says="Without depth weights it is a little worse (lambdas raised to keep the balance)",
        published=1.27 / 1.05, rows=("videomdm/no-depth-raised", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without depth weights it is a little worse (lambdas as they are)",
        published=1.27 / 1.05, rows=("videomdm/no-depth", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without multistep training it is far worse",
        published=9.85 / 1.05, rows=("videomdm/no-multistep", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without ray projection in the representation loss it is about three times worse",
        published=2.72 / 1.05, rows=("videomdm/no-rays", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without the velocity loss it is worse (1.5 or 5.5 times: the text lost the rows' names)",
        published=1.58 / 1.05, rows=("videomdm/no-velocity", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without the representation loss it is worse (5.5 or 1.5 times)",
        published=5.75 / 1.05, rows=("videomdm/no-representation", "videomdm"), **_ABLATION,
    ),
    Claim(
        "Fig. 6(b)", "Of the two, the representation loss matters more", None,
        ("videomdm/no-representation", "videomdm/no-velocity"), at_least=1.0, studies=("ablations",),
    ),
    Claim(
        says="Fine-tuned on videos, it halves the lifter's error on the clips trained on",
        published=111.24 / 228.47, rows=("videomdm", "teacher"), metric=_ABSOLUTE, at_most=0.5, **_LIFTING,
    ),
    Claim(
        says="... both aligned on the first frame",
        published=111.24 / 228.47, rows=("videomdm", "teacher"), metric="seen_mpjpe", at_most=0.5, **_LIFTING,
    ),
    Claim(
        says="... with every frame placed where its size says (ours)", published=111.24 / 228.47,
        rows=("videomdm", "teacher"), metric="seen_placed_absolute/seen_mpjpe", at_most=0.5, **_LIFTING,
    ),
    Claim(
        says="It errs a quarter of what MDM on the lifter's motions errs", published=111.24 / 440.33,
        rows=("videomdm", "mdm-teacher"), metric="seen_absolute", at_most=0.25, **_LIFTING,
    ),
    Claim(
        says="... both aligned on the first frame",
        published=111.24 / 440.33, rows=("videomdm", "mdm-teacher"), metric="seen_mpjpe", at_most=0.25, **_LIFTING,
    ),
    Claim(
        says="With cameras by PnP it still errs less than the lifter",
        published=185.81 / 228.47, rows=("videomdm-pnp", "teacher"), metric=_ABSOLUTE, at_most=1.0, **_LIFTING,
    ),
    Claim(
        says="... both aligned on the first frame",
        published=185.81 / 228.47, rows=("videomdm-pnp", "teacher"), metric="seen_mpjpe", at_most=1.0, **_LIFTING,
    ),
    Claim(
        says="Its accelerations err 5.5 times less than the lifter's", published=3.16 / 17.66,
        rows=("videomdm", "teacher"), metric="seen_acceleration_error", at_most=3.16 / 17.66, **_LIFTING,
    ),
    Claim(
        says="The lifter keeps an edge on the error after Procrustes",
        published=61.69 / 51.12, rows=("videomdm", "teacher"), metric="seen_pa_mpjpe", at_least=1.0, **_LIFTING,
    ),
    Claim(
        says="Its motions are more like true ones than the lifter's (KID)",
        rows=("videomdm", "teacher"), metric="seen_kid", at_most=1.0, **_LIFTING,
    ),
    Claim("Fig. 5(a)", "People prefer its motions of Fit3D", 0.60, why="nobody was asked; Fit3D is not open"),
    Claim(
        says="From pictures alone, its precision is far better than MAS's",
        rows=("videomdm-frame", "mdm-2d"), metric="precision", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="... and better than its teacher's, ElePose's",
        rows=("videomdm-frame", "elepose"), metric="precision", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="Its recall† is better than MAS's",
        rows=("videomdm-frame", "mdm-2d"), metric="recall_dagger", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="... and better than its teacher's",
        rows=("videomdm-frame", "elepose"), metric="recall_dagger", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="Its FID is (slightly) behind MAS's",
        rows=("videomdm-frame", "mdm-2d"), metric="fid", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="Its diversity is (slightly) behind MAS's",
        rows=("videomdm-frame", "mdm-2d"), metric="diversity", at_most=1.0, **_THIRD,
    ),
    *(
        Claim(says=f"After a round: {says}", rows=("videomdm-frame/round-1-assumed", "mdm-2d"), metric=metric,
              at_least=1.0, **_THIRD)
        for says, metric in (("its precision is better than MAS's", "precision"),
                             ("its recall† is better than MAS's", "recall_dagger"))
    ),
    Claim("Table 3", "People prefer it to MAS in 64 % of votes", 0.64, why="nobody was asked"),
    Claim(
        "Appendix F", "FID hardly depends on t*, buckets and weights: three quarters of the trials end near the best",
        2 / 0.7, (SEARCHED, BEST), at_most=2 / 0.7, studies=(SEARCH,),
    ),
    Claim(
        "Table 4", "Training costs little more than MDM's on the lifter's motions",
        46 / 36, ("videomdm", "mdm-teacher"), "training_hours", at_most=46 / 36, studies=("cost",),
    ),
    Claim(
        "Table 4", "Sampling costs the same",
        1.0, ("videomdm", "mdm-teacher"), "seconds_per_100_motions", at_most=1.0, studies=("cost",),
    ),
    Claim(
        "Table 4", "Sampling is 2.4 times as fast as MAS's", 5 / 12,
        ("videomdm-frame", "mdm-2d"), "seconds_per_100", at_most=5 / 12, studies=_THIRD["studies"],
    ),
)  # fmt: skip


def sources(claims: Sequence[Claim] = CLAIMS) -> dict[str, str]:
    """Study -> the command that makes its rows."""
    return {study: _command(study) for claim in claims for study in claim.studies}


def _command(study: str) -> str:
    """The command that makes a study's rows; its results name every option."""
    own = {SEARCH: "videomdm search", "table2": "python -m videomdm.study.table2", "cost": "python -m benchmarks.cost"}
    module, _, base = study.partition("-")
    if module == "table3":
        return f"python -m videomdm.study.table3 --base {base}"
    return own.get(study, f"python -m videomdm.study {study}")
