"""Closed sets of words that several modules share; the settings of that type say what they mean.

They are plain strings in sweep files, in JSON and in keys. A misspelt word is refused by mypy, and
by the settings when it is read from a file.
"""

from typing import Literal

Relaxation = Literal["sigmoid", "softmax"]
ZeroOneForm = Literal["l2", "l1"]
Optimization = Literal["bilevel", "single_level"]
Precision = Literal["float32", "tf32", "bfloat16"]
DeriveRule = Literal["threshold", "threshold_edge", "darts"]
Stem = Literal["cifar", "imagenet"]
DropPathMode = Literal["node", "edge"]
PictureFormat = Literal["svg", "png"]
