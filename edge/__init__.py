"""Everything pure: quantities, blocks of readings, quality control, calibration, forecast and policy."""
