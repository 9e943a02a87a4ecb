"""Training of the compact predictor: scikit-learn and LightGBM are imported here alone, when needed."""
