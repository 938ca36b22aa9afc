"""Figures in the metadata of materializations: still pictures where a browser is installed, and one sentence if not."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import plotly.graph_objects as go
from pydantic import PrivateAttr

from fraud_assets.reporting.pictures import PictureRenderer


class Pictures(dg.ConfigurableResource[Any]):
    """One browser for all the pictures of a run; it starts with the first picture and ends with the run."""

    enabled: bool = True
    _renderer: PictureRenderer | None = PrivateAttr(None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._renderer = PictureRenderer() if self.enabled else None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def metadata(self, log: dg.DagsterLogManager, figures: Mapping[str, go.Figure]) -> dict[str, Any]:
        """The figures as markdown images by name. What cannot be drawn is logged once, and left out."""
        if self._renderer is None:
            return {}
        images = {name: self._renderer.render(figure, name) for name, figure in figures.items()}
        for problem in self._renderer.unreported_problems():
            log.warning(problem)
        return {name: dg.MetadataValue.md(image) for name, image in images.items() if image is not None}
