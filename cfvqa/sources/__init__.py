"""One reader a published data set: files in, the five tables out; and of report texts, records and questions."""
