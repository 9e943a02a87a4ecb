"""The controller's trial: a simulated school year of many rooms at once, in a world that it doesn't share.

`day` says what happens outdoors and among people, `house` is the physics of two zones, `ways` are the ways
to run a room's machines, `run` lives the year, `outcome` counts. All rooms of all seeds are columns of one
array.
"""
