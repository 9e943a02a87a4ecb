"""The compact predictor in service: features, the model's bytes, integer inference, intervals, scores."""
