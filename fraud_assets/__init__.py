"""Each day's card transactions, turned into the best fraud model that the labels known by then allow."""

from importlib.metadata import version

__version__ = version("fraud-assets")
