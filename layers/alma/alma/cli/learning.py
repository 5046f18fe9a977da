"""Train a model on this machine, from a data set that was pulled: `alma train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alma.cli import target
from alma.cli.downloads import check_absent, write
from alma.cli.output import Output
from alma.datamodel.examples import read_folder
from alma.datamodel.fields import BASE_MODEL
from alma.errors import BadRequestError


def train(
    lines: Path, base: str, out: Path, name: str | None, output: Output, *, force: bool
) -> dict[str, Any]:
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
        Name of the model; the stem of the file by default.
    output : Output
        Where progress is shown.
    force : bool
        Overwrite a model and a card that are there.

    Raises
    ------
    AlmaError
        The data set is malformed or too small, the base is no model, or the file has the card's name.
    FileExistsAlreadyError
        There is such a model, or such a card.
    """
    card_file = out.with_suffix(".json")
    if card_file == out:
        raise BadRequestError("--out is the ONNX file; its card goes beside it as .json.")
    for path in (out, card_file):
        check_absent(path, force)  # before minutes of work
    target.use_one_blas_thread()
    # Only here: numpy, ONNX Runtime and onnx take most of a second to import.
    from alma.extraction.scoring.confidence import shipped_calibration
    from alma.extraction.scoring.scorer import Scorer, base_model
    from alma.learning.training import learn

    schema, documents = read_folder(lines)
    content, calibration = base_model(), shipped_calibration()
    if base != BASE_MODEL:
        content = Path(base).read_bytes()
        try:
            calibration = Scorer(content).calibration or calibration
        except ValueError as error:
            raise BadRequestError(f"{base} cannot be trained further: {error}.") from None
    with output.progress() as progress:
        task = progress.add_task("reading", total=1.0)
        learned = learn(
            documents,
            schema,
            content,
            name=name or out.stem,
            base_name=base if base == BASE_MODEL else Path(base).stem,
            calibration=calibration,
            report=lambda what, share: progress.update(task, description=what, completed=share),
        )
    write(out, [learned.model], force=force)
    card = learned.card | {"better": learned.better}
    write(card_file, [(json.dumps(card, indent=1) + "\n").encode()], force=force)
    return card
