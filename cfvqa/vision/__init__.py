"""Where the regions are and what is in them: anatomy detectors, finding classifiers, extraction."""
