"""The whole flow, in the order in which a video passes it."""

import warnings
from typing import Any

import ray.data
from ray.data import DataContext, Dataset
from ray.util.annotations import RayDeprecationWarning

from dataflow.assemble import Assemble
from dataflow.capacity import in_hand
from dataflow.context import FlowContext
from dataflow.diarize import Diarize
from dataflow.join_script import JoinScript
from dataflow.open import Open
from dataflow.publish import Publish
from dataflow.ray_settings import JOIN, data_context, pool_options, read_options
from dataflow.separate import Separate
from dataflow.source import ClaimSource
from dataflow.stage import FlowStage
from dataflow.synthesize import Synthesize
from dataflow.transcribe import Transcribe
from dataflow.translate import Translate


def build_flow(source: ClaimSource, context: FlowContext) -> Dataset:
    """The graph from claimed jobs to published languages; nothing runs before it is consumed."""

    def on(stage: type[FlowStage[Any]]) -> dict[str, Any]:
        pool = context.plan.pool(stage.pool) if stage.pool else JOIN
        rows = in_hand(context.plan, context.settings, stage.pool) if context.endless else None
        return {"fn_constructor_args": (context,), **pool_options(pool, rows)}

    with DataContext.current(data_context()), warnings.catch_warnings():
        # Restarts and retries have no other spelling in this release, whose version is pinned.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        flow: Dataset = ray.data.read_datasource(source, **read_options(source.claimers)).flat_map(Open, **on(Open))
        if "separation" in context.plan.engines:
            flow = flow.flat_map(Separate, **on(Separate))
        return (
            flow.flat_map(Diarize, **on(Diarize))
            .flat_map(Transcribe, **on(Transcribe))
            .flat_map(JoinScript, **on(JoinScript))
            .flat_map(Translate, **on(Translate))
            .flat_map(Synthesize, **on(Synthesize))
            .flat_map(Assemble, **on(Assemble))
            .flat_map(Publish, **on(Publish))
        )
