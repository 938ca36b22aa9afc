"""What people look at: figures, and the still pictures made of them.

- `style`: the one visual language: template, colours, names of models and metrics, safe text.
- `scores`: which rows of a frame of scores can be drawn.
- `curves`, `distributions`, `comparison`, `history`: pure functions, frame in, `plotly.graph_objects.Figure` out.
- `pictures`: a figure as a markdown image for Dagster's metadata; `browser`: the Chromium process behind it.

What does not live here: metrics that decide anything (those are `learning`), database and Dagster. A figure never
changes the frame that it is given, and draws every legal frame: an empty one gives a figure that says so.
"""
