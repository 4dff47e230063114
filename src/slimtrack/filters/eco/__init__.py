"""Efficient convolution operators: continuous filters, projections, a model of the samples.

Danelljan et al., "ECO: Efficient Convolution Operators for Tracking", CVPR 2017, on the continuous
formulation of Danelljan et al., "Beyond Correlation Filters: Learning Continuous Convolution Operators for
Visual Tracking", ECCV 2016 (C-COT).
"""
