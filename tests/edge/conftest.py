"""Property tests have no deadline per example: what else the machine does is none of their business."""

from hypothesis import settings

settings.register_profile("edge", deadline=None)
settings.load_profile("edge")
