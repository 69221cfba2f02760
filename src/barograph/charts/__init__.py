"""Charts: one function a chart, from data to a Vega-Lite v5 dict.

A chart is plain data: it is tested as data, drawn in a page, a notebook or a dashboard by any Vega-Lite renderer, and
fetches nothing. Its title says what was found. Names and texts of the user's only ever stand in data values and titles,
never in an expression.
"""
