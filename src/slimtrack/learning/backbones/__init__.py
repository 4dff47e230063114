"""Backbones: image -> features of one stride, started from ImageNet weights."""
