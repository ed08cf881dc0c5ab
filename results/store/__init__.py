"""The folder of files: where each lies, how it is written whole and read back."""
