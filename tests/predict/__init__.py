"""The compact predictor: its bytes, its integers on three machines, its training."""
