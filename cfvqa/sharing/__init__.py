"""A trained model outside of its run: loaded, asked about image files, exported, given away."""
