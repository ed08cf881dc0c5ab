"""Fair DARTS: search, derive and retrain, in plain PyTorch (arXiv:1911.12126).

Importing this package imports nothing else: import the module you need. `fairdarts.timm_models`
registers the derived networks with timm.
"""
