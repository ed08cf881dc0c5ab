"""Derived networks for other programs: timm and ONNX."""
