import pyarrow as pa
import pytest

from actors.contracts.audio import Span
from cluster.ledger.records import Lease
from dataflow.records import Scene
from dataflow.schema import JobRow, LanguageRow, PassageRow, Row, SceneRow

LEASE = Lease("j1", "host:1", 3)
SCENE = Scene(4, Span(1.5, 60.25), "k", "d", (Span(2, 3), Span(4.5, 5)))
ROWS: list[Row] = [
    JobRow(job_id="j1", owner="o", fence=1),
    SceneRow.of(LEASE, SCENE),
    SceneRow.of(LEASE, Scene(0, Span(0, 0), "", "", ())),
    PassageRow(
        job_id="j",
        owner="o",
        fence=1,
        language="es",
        revision=2,
        index=0,
        first=0,
        last=3,
        script_key="k",
        casting_key="c",
        closes=True,
    ),
    LanguageRow(
        job_id="j", owner="o", fence=1, language="es", revision=2, script_key="k", casting_key="c", timeline_key="t"
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_a_row_survives_arrow_under_its_declared_schema(row: Row) -> None:
    table = pa.Table.from_pylist([row.to_dict()], schema=type(row).schema())
    assert type(row).from_dict(table.to_pylist()[0]) == row


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_no_column_holds_bytes(row: Row) -> None:
    assert not any(pa.types.is_binary(column.type) for column in type(row).schema())


def test_a_scene_comes_back_out_of_its_row() -> None:
    row = SceneRow.of(LEASE, SCENE)
    assert row.scene == SCENE
    assert row.lease == LEASE
