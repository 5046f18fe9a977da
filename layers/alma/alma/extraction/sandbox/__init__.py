"""ONNX files of strangers: their contract, and a child process to run them in."""
