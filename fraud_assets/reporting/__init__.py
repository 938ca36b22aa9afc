"""What people look at: figures, and the still pictures made of them.

- `style`: the one visual language: template, colours, names of models and metrics, safe text.
- `figures`: pure functions, a file for each kind of figure, frames in, `plotly.graph_objects.Figure` out.
- `sections`: a title, a sentence, a figure and the table behind it, and the HTML of these (`templates`, `static`).
- `day`: the sections of a day's report; `document`: that report as one self-contained file.
- `pictures`: a figure as a markdown image for Dagster's metadata; `browser`: the Chromium process behind it.

What does not live here: metrics that decide anything (those are `learning`), database and Dagster. A figure never
changes the frame that it is given, and draws every legal frame: an empty one gives a figure that says so.
"""
