"""Studies: methods run on equal terms, one JSON each, and the tables made from these."""

from videomdm.study.study import LOGGED, ROWS, STUDIES, Evaluation, main, run

__all__ = [
    "Evaluation",
    "LOGGED",
    "main",
    "ROWS",
    "run",
    "STUDIES",
]
