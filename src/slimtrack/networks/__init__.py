"""Networks as ONNX graphs with named taps: `network.Network`, found by name with `zoo.find`."""
