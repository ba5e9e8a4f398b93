"""Flow runs as OpenLineage events, for whoever listens. Never fails a run, and delays one by two seconds at most.

The OpenLineage client is loaded by the thread that sends, and only where there is somebody to send to.
"""

from pipelines.openlineage.emitter import close_emitters
from pipelines.openlineage.runs import DagsterRun, told_extract, told_graph

__all__ = ["DagsterRun", "close_emitters", "told_extract", "told_graph"]
