"""The report server: pages over the `rows` tables, for people who decide.

- `app`: every route in one list, and how the server runs; `site`: what each route answers.
- `store`: what pages ask of the database; `postgres_store`, `selects` and `connections`: how PostgreSQL answers it.
- `asked`: what a request asks for, checked; `answers`: pages kept while nothing changes, with their tags.
- `history_page`, `day_page`, `models_page`, `alerts_page`: what a template is told; `alert_rows` and `frames`: rows as
  they are read; `problems`: what is said where there is no page; `terms`: who was in charge when.
- `downloads`: CSV and signed models; `files`: scripts and styles; `headers`: what a browser may do with a page.

What does not live here: figures, the day's document, and where the database is. Nothing is ever written, and neither
Dagster nor scikit-learn is imported: a server that shows pages should be small.
"""

from fraud_assets.reporting.server.app import create_app, serve
from fraud_assets.reporting.server.downloads import ModelFile, ModelFiles
from fraud_assets.reporting.server.postgres_store import PostgresStore
from fraud_assets.reporting.server.store import Store, StoreUnavailable

__all__ = ["ModelFile", "ModelFiles", "PostgresStore", "Store", "StoreUnavailable", "create_app", "serve"]
