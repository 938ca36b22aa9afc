"""A day's report: its frames, its headline, and its sections in the order in which a fraud team asks.

- `frames`: what a report is made of, and how its parts find their rows.
- `quality`, `changes`, `outcome`: the sections, by the question that they answer.
- `headline`: the decision in one sentence, and the numbers of the day.

What does not live here: how any of it is drawn (`figures`), and written as HTML (`sections`, `document`).
"""
