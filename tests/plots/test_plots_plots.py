"""Figures: valid, small, equal in scale, and clear about what they refuse."""

import base64
import gzip
import json
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from videomdm import cameras, plots
from videomdm.plots import charts, offline, players, space, style
from videomdm.plots.offline import library_html
from videomdm.skeletons import H36M17, NBA16, SMPL22

HEIGHTS = torch.linspace(0, 1.7, 22)


def body(n_frames=40, seed=0):
    """A body-sized cloud of joints that drifts forward."""
    generator = torch.Generator().manual_seed(seed)
    joints = 0.3 * torch.rand(n_frames, 22, 3, generator=generator)
    joints[..., 1] = HEIGHTS
    joints[..., 2] += torch.linspace(0, 2, n_frames)[:, None]
    return joints


def trace_points(trace):
    """A 3-D trace back in metres, our axes: (points, 3)."""
    xyz = [trace.y, trace.z, trace.x]
    return np.array([[np.nan if v is None else v for v in column] for column in xyz], dtype=float).T / 1000


class TestStrokes:
    @pytest.mark.parametrize("skeleton", [SMPL22, H36M17], ids=lambda s: s.name)
    def test_draw_every_bone_once(self, skeleton):
        drawn = []
        for name, stroke in style.strokes(skeleton).items():
            bones = [(a, b) for a, b in zip(stroke, stroke[1:], strict=False) if -1 not in (a, b)]
            assert all(style.side(skeleton.joints[child]) == name for _, child in bones)
            drawn += bones
        assert sorted(drawn) == sorted(skeleton.bones)


class TestPlayer:
    def test_first_pose_is_the_motion_in_millimetres(self):
        joints = body()
        left = plots.player({"a": joints}).data[0]
        stroke = style.strokes(SMPL22)["left"]
        want = [joints[0, j].numpy() if j >= 0 else [np.nan] * 3 for j in stroke]
        np.testing.assert_allclose(trace_points(left), want, atol=0.00051)

    def test_frames_follow_the_motion(self):
        joints = body()
        figure = plots.player({"a": joints})
        assert len(figure.frames) == 40
        stroke = [j for j in style.strokes(SMPL22)["trunk"]]
        np.testing.assert_allclose(trace_points(figure.frames[17].data[2]), joints[17, stroke].numpy(), atol=0.00051)

    @pytest.mark.parametrize(("n_motions", "n_frames"), [(1, 196), (2, 196), (4, 196), (6, 196), (1, 2000)])
    def test_stays_small_and_keeps_its_speed(self, n_motions, n_frames):
        motions = {f"a person does something {k}": body(n_frames, k) for k in range(n_motions)}
        figure = plots.player(motions, ghosts={k: v + 0.1 for k, v in motions.items()})
        text = figure.to_json()
        assert len(text) < 300_000
        json.loads(text)
        frame = figure.layout.updatemenus[0].buttons[0].args[1]["frame"]["duration"]
        assert frame * len(figure.frames) == pytest.approx(50 * n_frames, rel=0.03)

    def test_motions_stand_side_by_side(self):
        figure = plots.player({"a": body(), "b": body(seed=1)})
        x = trace_points(figure.data[0])[:, 0]
        gap = int(np.isnan(x).nonzero()[0][len(style.strokes(SMPL22)["left"]) // 11])
        assert np.nanmin(x[gap:]) - np.nanmax(x[:gap]) > players.LANE_GAP / 2

    def test_a_shorter_motion_holds_its_last_pose(self):
        figure = plots.player({"short": body(10), "long": body(40, 1)})
        first = len(style.strokes(SMPL22)["left"])
        np.testing.assert_array_equal(
            trace_points(figure.frames[9].data[0])[:first], trace_points(figure.frames[39].data[0])[:first]
        )

    def test_equal_aspect(self):
        scene = plots.player({"a": body(), "b": body(seed=1)}).layout.scene
        scales = [
            (axis.range[1] - axis.range[0]) / ratio
            for axis, ratio in zip(
                (scene.xaxis, scene.yaxis, scene.zaxis),
                (scene.aspectratio.x, scene.aspectratio.y, scene.aspectratio.z),
                strict=True,
            )
        ]
        assert max(scales) == pytest.approx(min(scales), rel=1e-6)

    def test_everything_is_inside_the_picture(self):
        joints = body()
        camera = cameras.orbit(0.7, 0.2, [0.0, 1.0, 1.0], 4.0)
        figure = plots.player({"a": joints}, camera=camera)
        scene = figure.layout.scene
        ranges = np.array([scene.xaxis.range, scene.yaxis.range, scene.zaxis.range], dtype=float)
        ratio = np.array([scene.aspectratio.x, scene.aspectratio.y, scene.aspectratio.z])
        eye, centre = (np.array([p.x, p.y, p.z]) for p in (scene.camera.eye, scene.camera.center))
        points = np.concatenate([trace_points(t)[:, [2, 0, 1]] for t in figure.data if t.type == "scatter3d"])
        points = points[~np.isnan(points).any(1)] * 1000
        box = ((points - ranges[:, 0]) / np.ptp(ranges, axis=1) - 0.5) * ratio
        forward = (centre - eye) / np.linalg.norm(centre - eye)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        depth = (box - eye) @ forward
        assert (depth > 0).all()
        height = (box - eye) @ np.cross(right, forward) / depth
        assert np.abs(height).max() < np.tan(np.radians(22.5)) * 1.03

    def test_the_camera_opens_towards_what_it_sees(self):
        camera = cameras.orbit(0.7, 0.2, [0.0, 1.0, 1.0], 4.0)
        corners = torch.from_numpy(space.camera_outline(camera)).float()
        in_camera = camera.to_camera(corners[corners.isfinite().all(1)])
        assert in_camera[:, 2].min().abs() < 1e-5
        assert in_camera[:, 2].max() > 0.3

    def test_bad_input_is_named(self):
        with pytest.raises(ValueError, match="motions is empty"):
            plots.player({})
        with pytest.raises(ValueError, match=r"motion 'a'.*\(40, 22, 2\)"):
            plots.player({"a": body()[..., :2]})
        with pytest.raises(ValueError, match=r"motion 'a': 21 joints, expected 22"):
            plots.player({"a": body()[:, :21]})
        with pytest.raises(ValueError, match=r"ghost 'a'.*frame 3 is"):
            broken = body()
            broken[3, 4] = torch.nan
            plots.player({"a": body()}, ghosts={"a": broken})
        with pytest.raises(ValueError, match=r"ghosts \['b'\] without a motion; motions: \['a'\]"):
            plots.player({"a": body()}, ghosts={"b": body()})


class TestKeypointsOver:
    def test_y_points_down_and_scales_are_equal(self):
        figure = plots.keypoints_over(body()[..., :2])
        top, bottom = figure.layout.yaxis.range[1], figure.layout.yaxis.range[0]
        assert bottom > top and figure.layout.yaxis.scaleanchor == "x"

    def test_the_second_set_lies_below(self):
        figure = plots.keypoints_over(body()[..., :2], over=body(seed=1)[..., :2])
        assert figure.data[0].line.color == style.GHOST
        assert len(figure.to_json()) < 300_000

    def test_bad_input_is_named(self):
        with pytest.raises(ValueError, match=r"keypoints: shape \(40, 22, 3\), expected \(frames, 22, 2\)"):
            plots.keypoints_over(body())
        with pytest.raises(ValueError, match="40 frames of keypoints over 30"):
            plots.keypoints_over(body()[..., :2], over=body(30)[..., :2])
        with pytest.raises(ValueError, match="over: not all values are finite"):
            plots.keypoints_over(body()[..., :2], over=body()[..., :2] / 0)


class TestLossCurves:
    log = [
        {"step": 0, "stage": "warm-up", "loss": 1.0},
        {"step": 10, "stage": "2-D", "loss": 0.5, "velocity": 0.01},
        {"step": 20, "stage": "2-D", "loss": 0.4, "velocity": 0.005, "note": "text is not drawn"},
    ]

    def test_one_line_per_term(self):
        figure = plots.loss_curves(self.log)
        assert {t.name: (list(t.x), list(t.y)) for t in figure.data} == {
            "loss": ([0, 10, 20], [1.0, 0.5, 0.4]),
            "velocity": ([10, 20], [0.01, 0.005]),
        }
        assert [s.x0 for s in figure.layout.shapes] == [10]

    def test_bad_input_is_named(self):
        with pytest.raises(ValueError, match="log is empty"):
            plots.loss_curves([])
        with pytest.raises(ValueError, match=r"row 1 has keys \['loss'\]"):
            plots.loss_curves([{"step": 0, "loss": 1.0}, {"loss": 1.0}])


class TestMetricsTable:
    rows = [
        {"method": "real", "FID": 0.0, "diversity": (9.5, 0.1)},
        {"method": "a", "FID": 0.8812, "diversity": (9.25, 0.083)},
        {"method": "b", "FID": 1234.5},
    ]

    def test_text(self):
        assert plots.metrics_table(self.rows, best={"FID": min}).splitlines() == [
            "| method | FID | diversity |",
            "| :-- | --: | --: |",
            "| real | 0 | 9.50 ± 0.1 |",
            "| a | **0.881** | 9.25 ± 0.083 |",
            "| b | 1234 | – |",
        ]

    def test_one_that_fits_is_in_one_piece(self):
        row = {"method": "videomdm"} | {f"FID {k}": (12.25, 0.83) for k in range(7)}
        assert "\n\n" not in plots.metrics_table([row])

    def test_a_wide_one_is_several_with_the_rows_named_in_each(self):
        titles = [f"FID {k}" for k in range(12)]
        rows = [{"method": name} | {title: (12.25, 0.83) for title in titles} for name in ("real", "videomdm")]
        first, second = (part.splitlines() for part in plots.metrics_table(rows).split("\n\n"))
        assert first[0] == "| method | " + " | ".join(titles[:6]) + " |"
        assert second[0] == "| method | " + " | ".join(titles[6:]) + " |"
        assert [line.split(" | ")[0] for line in second[2:]] == ["| real", "| videomdm"]
        assert max(map(len, first[2:])) <= charts.ROOM + 1  # of the bar that closes a line

    def test_one_whose_rows_share_their_first_cell_is_in_one_piece(self):
        row = {"data": "bandai"} | {f"FID {k}": (12.25, 0.83) for k in range(12)}
        assert "\n\n" not in plots.metrics_table([row, row])

    def test_titles_are_broken_between_words_and_phrases_too(self):
        long = "a sentence of several words that says what became of it"
        row = {"row": long} | {f"a title of some words {k}": 1.0 for k in range(10)}
        assert "\n\n" not in plots.metrics_table([row])

    def test_what_rounding_leaves_of_equal_values_is_no_interval(self):
        assert "| 0.00637 ± 0 |" in plots.metrics_table([{"recall": (0.00637, 1.2e-18)}])

    def test_a_wide_interval_has_no_exponent(self):
        assert "| 579 ± 153 |" in plots.metrics_table([{"error": (579.0, 153.2)}])

    def test_one_column(self):
        assert plots.metrics_table([{"row": "a"}]) == "| row |\n| :-- |\n| a |"

    def test_shows_as_markdown(self):
        table = plots.metrics_table(self.rows)
        assert table._repr_markdown_() == str(table)

    def test_bad_input_is_named(self):
        with pytest.raises(ValueError, match="no rows"):
            plots.metrics_table([])
        with pytest.raises(ValueError, match=r"best names \['fid'\]"):
            plots.metrics_table(self.rows, best={"fid": min})


class TestDotPlot:
    def test_real_data_are_a_line_beside_methods(self):
        rows = {"real": {"fid": 0.1}, "a": {"fid": [1.0, 0.2]}, "b": {}}
        (axes,) = plots.dot_plot(rows, {"fid": "FID"}, reference="real").axes
        assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]

    def test_real_data_alone_are_a_row(self):
        (axes,) = plots.dot_plot({"real": {"fid": 0.1}}, {"fid": "FID"}, reference="real").axes
        assert [label.get_text() for label in axes.get_yticklabels()] == ["real"]

    def test_bad_input_is_named(self):
        with pytest.raises(ValueError, match="0 methods and 1 metrics"):
            plots.dot_plot({}, {"fid": "FID"}, reference="real")


class TestFilmStrip:
    def test_draws_poses_and_times(self):
        figure = plots.film_strip(body(), n_poses=5, ghost=body(seed=1))
        axes = figure.axes[0]
        assert [t.get_text() for t in axes.texts] == ["0.00 s", "0.50 s", "1.00 s", "1.45 s", "1.95 s"]
        assert len(axes.lines) == 1 + 2 * 5 * (21 + 1)
        assert not plt.get_fignums()

    def test_chosen_frames(self):
        figure = plots.film_strip(body(), frames=[3, 30])
        assert [t.get_text() for t in figure.axes[0].texts] == ["0.15 s", "1.50 s"]

    def test_bad_input_is_named(self):
        with pytest.raises(ValueError, match="40 frames over a ghost of 30"):
            plots.film_strip(body(), ghost=body(30))


class TestPoseStrip:
    def test_draws_poses_in_rows(self):
        poses = torch.rand(1, 16, 2).expand(5, 16, 2)
        figure = plots.pose_strip(poses, NBA16, ghost=poses + 1, per_row=3)
        lines, per_pose = figure.axes[0].lines, 2 * (15 + 1)
        assert len(lines) == 5 * per_pose
        places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines[::per_pose]]
        assert places[0][1] == places[2][1] > places[3][1] and places[0][0] == places[3][0] < places[1][0]
        assert not plt.get_fignums()

    def test_what_is_down_in_the_image_is_drawn_down(self):
        pose = torch.zeros(1, 16, 2)
        pose[0, NBA16.index("left_knee"), 1], pose[0, NBA16.index("left_ankle"), 1] = 1.0, 2.0
        lines = plots.pose_strip(pose, NBA16).axes[0].lines
        assert min(line.get_ydata().min() for line in lines) == -2.0

    def test_bad_input_is_named(self):
        with pytest.raises(ValueError, match=r"poses: shape \(2, 17, 2\)"):
            plots.pose_strip(torch.zeros(2, 17, 2), NBA16)
        with pytest.raises(ValueError, match="ghost: not all values are finite"):
            plots.pose_strip(torch.zeros(1, 16, 2), NBA16, ghost=torch.full((1, 16, 2), torch.nan))


class TestOffline:
    figure = {"data": [{"type": "scatter", "name": "</script><b>", "x": [1], "y": [2]}], "layout": {"height": 300}}

    def test_html_is_safe_stable_and_needs_no_network(self):
        html = offline.figure_html(self.figure)
        assert html == offline.figure_html(self.figure)
        assert html.count("</script>") == 1
        assert "height:300px" in html and "http" not in html

    def test_library_is_the_installed_one(self):
        packed = library_html().partition('atob("')[2].partition('"')[0]
        assert gzip.decompress(base64.b64decode(packed)).decode() == offline.get_plotlyjs()

    def test_jupyter_gets_json_and_pages_get_html_only(self, monkeypatch):
        monkeypatch.delenv(offline.SOURCE_VARIABLE, raising=False)
        bundle = offline.mimebundle(self.figure)
        assert bundle["application/vnd.plotly.v1+json"]["data"] == self.figure["data"]
        monkeypatch.setenv(offline.SOURCE_VARIABLE, "page")
        assert set(offline.mimebundle(self.figure)) == {"text/html"}

    def test_a_notebook_gets_plotly_js_once(self, monkeypatch):
        given = []
        monkeypatch.setattr("IPython.display.display", lambda *shown, **how: given.extend(shown))
        monkeypatch.delenv(offline.SOURCE_VARIABLE, raising=False)
        figures = [plots.player({"a": body()}) for _ in range(2)]
        for figure in figures:
            figure._ipython_display_()
        libraries = [thing for thing in given if "videomdm-plotly-js" in getattr(thing, "data", "")]
        assert len(libraries) == 1 and given[0] is libraries[0]
        assert given[1:] == [offline.mimebundle(figure.to_dict()) for figure in figures]

    @pytest.mark.slow
    def test_plotly_is_left_as_it_is(self):
        """Importing the package changes nothing of how a user's own figures look or are shown."""
        script = (
            "import plotly.io as pio; before = str(pio.renderers), str(pio.templates);"
            "import videomdm.plots; assert before == (str(pio.renderers), str(pio.templates))"
        )
        subprocess.run([sys.executable, "-c", script], check=True)
