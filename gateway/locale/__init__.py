"""The word catalogues, one folder a language, and how they are kept complete."""
