"""Fair DARTS: search, derive and retrain, in plain PyTorch (arXiv:1911.12126).

Importing this package imports nothing heavy; import the module you need.
"""
