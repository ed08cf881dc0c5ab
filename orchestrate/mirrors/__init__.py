"""Shows a sweep in TensorBoard, W&B or MLflow while it runs: `following` reads."""
