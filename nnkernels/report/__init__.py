"""What a person sees of results: tidy rows, tables and pages, made from the files under ``results/`` alone."""
