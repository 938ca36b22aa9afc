"""What `dagster.yaml` names: where Dagster keeps its runs and events, and how its daemon knows that a run is lost.

Every process of Dagster loads these modules, the web server and the daemon too: nothing here imports pandas or pyarrow.
"""
