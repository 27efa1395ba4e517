"""Two states of the results side by side, as one web page; no stage of the pipeline."""
