"""Two states of the results on one web page, all runs in one table; no stage of the pipeline."""
