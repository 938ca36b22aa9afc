"""The figures: a file for each kind, and in it pure functions, frames in and a plotly figure out.

- `curves`, `alerting`, `distributions`: what the points of `operating_points` tell of candidates and thresholds.
- `calibration`, `importance`, `search`, `slices`, `comparison`: one day's candidates.
- `drift`, `volume`, `history`, `live`, `maturity`: over the days.
- `alerts`: one day's alerts.
- `frames`, `points`, `days`, `panels`: what several of them share.

The frames are the tables that storage has, as many of their columns as a figure needs. An empty frame, missing values
and infinite ones are legal everywhere: the figure says what is missing. A frame with rows and without a column that
is needed raises `ValueError`. Names in frames are drawn as text, whatever they hold.
"""
