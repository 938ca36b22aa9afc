"""From labelled rows to fitted candidates: families, search, models. Nothing here sees a validation row."""
