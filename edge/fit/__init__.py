"""Fitting: corrections from co-locations, chosen by blocks of time left out, with honest uncertainty."""
