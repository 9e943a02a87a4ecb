"""Corrections: models that turn a sensor's raw series into calibrated values with their uncertainty."""
