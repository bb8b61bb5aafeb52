"""One reader a published data set: files in, the four tables out."""
