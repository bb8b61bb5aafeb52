"""Judge answers: text scores, change scores, intervals, blind baselines, and the page that shows them."""
