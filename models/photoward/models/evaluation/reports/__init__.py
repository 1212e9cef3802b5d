"""An evaluation's results as JSON, sentences, tables, charts and one HTML page."""
