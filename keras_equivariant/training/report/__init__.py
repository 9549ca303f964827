"""report.html, one file that shows a run: its data, learning, answers, certificate and exported files."""
