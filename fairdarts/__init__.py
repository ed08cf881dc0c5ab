"""Fair DARTS: search, derive and retrain, in plain PyTorch (arXiv:1911.12126).

Importing this package imports nothing heavy; import the module you need. It does one thing more:
once timm is imported too, before or after, `timm.create_model` knows the networks of
`fairdarts.timm_models`.
"""

from fairdarts.import_hook import when_imported

when_imported("timm", "fairdarts.timm_models")
