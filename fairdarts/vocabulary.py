"""Closed sets of words that several modules share; `fairdarts.config` explains the words.

They are plain strings in sweep files, in JSON and in keys. mypy refuses a misspelt word in the
code, and the settings refuse it in a file.
"""

from typing import Literal

Relaxation = Literal["sigmoid", "softmax"]
ZeroOneForm = Literal["l2", "l1"]
Optimization = Literal["bilevel", "single_level"]
Precision = Literal["float32", "tf32", "bfloat16"]
DeriveRule = Literal["threshold", "threshold_edge", "darts"]
Stem = Literal["cifar", "imagenet"]
DropPathMode = Literal["node", "edge"]
PictureFormat = Literal["svg", "png", "pdf"]
