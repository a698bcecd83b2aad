"""How the book's stored numbers were made, so that anybody can make them again.

Each module here measures one thing: `HOLDS` says which files of the package hold it and which chapters show them,
`measure` returns or keeps the numbers, and `python -m senet_edu.measure.NAME` does it from the command line.
"""

NAMES = ("lamp", "ablations", "learning", "interventions", "speed", "weights", "gpu")
"""In the order of the chapters that show them."""
