"""Video in and out: frames, results, drawing, synthetic clips."""
