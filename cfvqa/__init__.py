"""Models that read two chest radiographs of one patient and say what has changed."""
