"""``python -m videomdm.train`` trains what its arguments describe; ``accelerate launch -m`` on several devices."""

from __future__ import annotations

from collections.abc import Sequence

from videomdm import settings
from videomdm.train import distributed
from videomdm.train.loop import fit


def main(arguments: Sequence[str] | None = None) -> None:
    run = fit(settings.config(arguments, "python -m videomdm.train", __doc__))
    if distributed.rank() == 0:
        print(run)
    distributed.finish()


if __name__ == "__main__":
    main()
