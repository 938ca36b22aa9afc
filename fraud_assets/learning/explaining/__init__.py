"""Why a transaction was flagged, and which features a model leans on."""
