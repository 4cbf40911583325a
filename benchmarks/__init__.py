"""How fast it is: paired runs against a straightforward version and against what the machine could do.

``python -m benchmarks`` runs all of them, ``python -m benchmarks step sampling`` some; each prints its ratios and
leaves one JSON in ``results/benchmarks/``, from which the page *Speed* is made.  ``precision`` and ``quality --run
FOLDER`` ask what the fast settings cost: in losses, and in FID.  ``detection --video FILE`` measures how fast people
are found, ``lift --video FILE`` how long everything takes from a fresh install to a film in 3-D.
``static_camera`` measures no time, but how often the check of a camera that stands is right.
``python -m benchmarks.gpu`` is what ``make gpu`` runs.
"""
