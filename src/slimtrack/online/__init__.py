"""Parts of trackers that learn while they track: pooling of boxes, classifiers, overlap prediction."""
