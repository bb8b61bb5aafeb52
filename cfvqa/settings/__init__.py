"""What a config may say, checked before the hours are spent, and what is built of its blocks."""
