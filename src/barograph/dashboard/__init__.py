"""The dashboard: pages from plain data, as HTML and SVG. The server reads requests and catalog, and gives it both."""
