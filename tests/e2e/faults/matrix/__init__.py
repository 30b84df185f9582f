"""The fault matrix: a real product under steady traffic, one row a fault, every answer checked byte by byte.

`answers` says what the baseline answers, so that a client knows every byte before it asks. `server` gives these answers
(and as a branch misbehaves on demand), `clients` and `load` ask, `stage` runs the product, `table` lists the faults,
`row` runs one, `result` judges and prints.
"""
