"""Everything that a GPU must answer, in one command: `python -m benchmarks.gpu --out FOLDER`.

`__main__` reads the arguments, `parts` lists what is measured and for how long at most, `processes`
runs a part, `report` writes the table; every other file is a part or what parts share (`measure`).
"""
