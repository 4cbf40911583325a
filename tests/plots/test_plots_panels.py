import pytest

from videomdm import cameras
from videomdm.data import procedural
from videomdm.plots import keep, panels, player


class TestPanels:
    def test_one_axes_per_title(self):
        figure, axes = panels("a", "", "c")
        assert [a.get_title(loc="left") for a in axes] == ["a", "", "c"] and figure.axes == axes

    def test_shared_axis(self):
        _, (left, right) = panels("a", "b", share_y=True)
        left.set_ylim(0, 7)
        assert right.get_ylim() == (0, 7)


class TestKeep:
    @pytest.fixture
    def checkout(self, tmp_path, monkeypatch):
        (tmp_path / "notebooks").mkdir()
        monkeypatch.chdir(tmp_path / "notebooks")
        return tmp_path

    def test_saves_in_the_checkout_and_gives_the_same_file_twice(self, checkout):
        (checkout / "pyproject.toml").touch()

        def draw():
            figure, (axes,) = panels("a")
            axes.plot([0, 1], [1, 0], label="line")
            axes.legend()
            assert keep(figure, "name") is figure
            return (checkout / "figures/name.svg").read_bytes()

        first = draw()
        assert draw() == first and b"<svg" in first

    def test_outside_a_checkout_nothing_is_written(self, checkout):
        keep(panels("a")[0], "name")
        assert not list(checkout.rglob("*.svg"))


def test_player_draws_every_camera_of_a_batch():
    x = procedural.generate(1, max_frames=40).clip(0)
    row = cameras.orbit(0.3, 0.1, x[0, :1].expand(3, 3), x.new_tensor([3.0, 4.0, 5.0]))
    one, three = (len(player({"": x}, camera=c).data) for c in (row[0], row))
    assert three == one + 2
