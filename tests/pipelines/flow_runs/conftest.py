from tests.pipelines.datasets.conftest import shop

__all__ = ["shop"]
