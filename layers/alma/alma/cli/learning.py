"""Training a model on this machine, from a data set that was pulled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from alma.datamodel.examples import read_folder
from alma.errors import BadRequestError
from alma.models.registry import BASE


def train(lines: Path, base: str, out: Path, name: str | None, console: Console) -> dict[str, Any]:
    """Train a model as the training function does, write it and its card, and return the card.

    Parameters
    ----------
    lines : Path
        `TYPE.jsonl` of a data set.
    base : str
        `alma-base`, or the path of a model trained by alma.
    out : Path
        The ONNX file to write; the card goes beside it as `.json`.
    name : str, optional
        What the model is called; the name of the file by default.
    console : Console
        Where progress is shown.

    Raises
    ------
    AlmaError
        The data set is not one, is too small, or the base is no model.
    """
    # Before numpy is imported. The matrices are small: threads that wait for each other take eight times as
    # long as one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Only here: numpy, ONNX Runtime and onnx take most of a second to import.
    from alma.extraction.scoring.confidence import shipped_calibration
    from alma.extraction.scoring.scorer import Scorer, base_model
    from alma.learning.training import learn

    schema, documents = read_folder(lines)
    content, calibration = base_model(), shipped_calibration()
    if base != BASE:
        content = Path(base).read_bytes()
        try:
            calibration = Scorer(content).calibration or calibration
        except ValueError as error:
            raise BadRequestError(f"{base} cannot be trained further: {error}.") from None
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=1.0)
        learned = learn(
            documents,
            schema,
            content,
            name=name or out.stem,
            base_name=base if base == BASE else Path(base).stem,
            calibration=calibration,
            report=lambda what, share: progress.update(task, description=what, completed=share),
        )
    out.write_bytes(learned.model)
    card = learned.card | {"better": learned.better}
    out.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def card_table(card: dict[str, Any]) -> Table:
    """Return what a model's card says: F1 before and after, field by field."""
    before, after = card["before"], card["after"]
    title = f"{card['name']}: {card['data']['documents']} documents, {card['data']['examples']} examples"
    table = Table("field", card["base_model"], card["name"], "values", title=title, box=None)
    for key, own in after["fields"].items():
        old = before["fields"].get(key, {}).get("f1")
        table.add_row(key, _share(old), _share(own["f1"]), str(own["n"]))
    table.add_row("[bold]all[/]", _share(before["micro_f1"]), _share(after["micro_f1"]), "")
    return table


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
