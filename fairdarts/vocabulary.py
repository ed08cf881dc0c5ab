"""Closed sets of words that settings and functions share; what each means is told at the setting.

They are plain strings in sweep files, in JSON and in keys; a misspelt one fails in mypy, and as a
setting when it is read.
"""

from typing import Literal

Relaxation = Literal["sigmoid", "softmax"]
ZeroOneForm = Literal["l2", "l1"]
Optimization = Literal["bilevel", "single_level"]
Precision = Literal["float32", "tf32", "bfloat16"]
DeriveRule = Literal["threshold", "threshold_edge", "darts"]
Stem = Literal["cifar", "imagenet"]
DropPathMode = Literal["node", "edge"]
