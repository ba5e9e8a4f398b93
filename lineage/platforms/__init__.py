"""The names of one system in others' words: JDBC URLs, database URLs, paths and accounts, as OpenLineage names them.

The rule: https://openlineage.io/docs/spec/naming, through the official client wherever it has a class.
"""

from connectors.model.platform_names import DatasetParts, dataset_name, dataset_parts
from lineage.platforms.naming import place_of
from lineage.platforms.place import Place

__all__ = ["DatasetParts", "Place", "dataset_name", "dataset_parts", "place_of"]
