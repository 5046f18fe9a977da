"""Models of one's own and the data sets they are trained on: `alma model`, `alma dataset`, `alma train`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from alma.cli import downloads, tables
from alma.cli.command import AsJson, CommandGroup, DocType, DocumentName
from alma.cli.connection import connect, find_document
from alma.cli.downloads import Force, To
from alma.cli.output import Output, print_json, visible
from alma.datamodel.fields import BASE_MODEL

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from alma.cli.client import Client

commands = CommandGroup()
model = CommandGroup(help="Models of your own.")
dataset = CommandGroup(help="Verified fields to learn from.")
commands.add_typer(model, name="model")
commands.add_typer(dataset, name="dataset")

ModelId = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
ModelName = Annotated[str, typer.Option("--name", help="For people; its id is made of it.")]
ReadType = Annotated[str, typer.Option("--type", help="The document type it reads.")]
Base = Annotated[
    str, typer.Option("--base", show_default=False, help="What it is tuned from; alma-base unless given.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is ready, or say why it is not.")]


@model.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List models."""
    found = connect().call("GET", "/models")
    Output(as_json).show(found, lambda: tables.models(found["models"]))


@model.command("get")
def get(model_id: ModelId, as_json: AsJson = False) -> None:
    """Print a model and its card."""
    print_json(connect().call("GET", _path(model_id)))


@model.command("train")
def train_model(
    name: ModelName, doc_type: ReadType, base: Base = BASE_MODEL, wait: Wait = False, as_json: AsJson = False
) -> None:
    """Train a model from your verified fields."""
    client = connect()
    made = client.call("POST", "/models", _body(name, doc_type, base, "verified_fields"))
    _show_model(client, made, wait, as_json)


@model.command("register")
def register(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            parser=Path,
            show_default=False,
            help="An ONNX file; docs/models.md says what it is.",
        ),
    ],
    name: ModelName,
    doc_type: ReadType,
    base: Base = BASE_MODEL,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Register a model you trained yourself."""
    from rich.progress import DownloadColumn

    if not file.is_file():
        raise FileNotFoundError(f"{file} is not a file.")
    client = connect()
    with Output(as_json).progress(DownloadColumn()) as progress:
        task = progress.add_task("sending", total=file.stat().st_size)
        made = client.upload_model(
            file, _body(name, doc_type, base, "upload"), lambda size: progress.advance(task, size)
        )
    _show_model(client, made, wait, as_json)


def _body(name: str, doc_type: str, base: str, source: str) -> dict[str, Any]:
    return {"name": name, "docType": doc_type, "baseModel": base, "source": source}


def _show_model(client: Client, made: dict[str, Any], wait: bool, as_json: bool) -> None:
    found = client.wait_for_model(made["id"]) if wait else made
    Output(as_json).show(found, lambda: tables.model(found))


@model.command("delete")
def delete(model_id: ModelId, as_json: AsJson = False) -> None:
    """Remove a model."""
    connect().call("DELETE", _path(model_id))
    Output(as_json).show(
        {"id": model_id, "deleted": True}, f"{model_id} is removed; what it has read of documents stays"
    )


@model.command("download")
def download(
    model_id: ModelId,
    file: To = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Save a model as an ONNX file."""
    path = f"{_path(model_id)}/file"
    downloads.download(connect(), path, f"{model_id}.onnx", file=file, force=force, as_json=as_json)


@model.command("digitize")
def digitize(
    model_id: ModelId,
    document: DocumentName,
    as_json: AsJson = False,
) -> None:
    """Print fields as a model reads them."""
    client = connect()
    document_id = find_document(client, document)
    found = client.call("POST", f"{_path(model_id)}/digitize", {"documentId": document_id})
    Output(as_json).show(found, lambda: tables.fields(found, document_id, model_id))


def _path(model_id: str) -> str:
    return f"/models/{quote(model_id, safe='')}"


@dataset.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """List document types with verified fields."""
    found = connect().call("GET", "/datasets")
    Output(as_json).show(found, lambda: tables.datasets(found["datasets"]))


@dataset.command("pull")
def pull(
    folder: Annotated[Path, typer.Argument(metavar="DIR", parser=Path, show_default=False)],
    doc_type: DocType = None,
    no_images: Annotated[
        bool, typer.Option("--no-images", help="Without page images: enough to train on.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite lines of that name that were not pulled.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring data sets to disk, or up to date."""
    from rich.progress import MofNCompleteColumn

    from alma.cli.datasets import pull as pull_dataset

    client, output = connect(), Output(as_json)
    types = (
        [each["docType"] for each in client.call("GET", "/datasets")["datasets"]]
        if doc_type is None
        else [doc_type]
    )
    with output.progress(MofNCompleteColumn()) as progress:
        pulled = [
            pull_dataset(
                client,
                folder,
                each,
                images=not no_images,
                force=force,
                progress=partial(_advance, progress, progress.add_task(visible(each), total=None)),
            )
            for each in types
        ]
    output.show(
        {"datasets": [asdict(each) for each in pulled]},
        lambda: (
            [f"{each.file}: {each.examples} examples of {each.documents} documents" for each in pulled]
            or ["nothing is verified yet; accept or edit fields first"]
        ),
    )


def _advance(progress: Progress, task: TaskID, completed: int, total: int) -> None:
    progress.update(task, completed=completed, total=total)


@commands.command("train")
def train(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", parser=Path, show_default=False, help="TYPE.jsonl of a data set that was pulled."
        ),
    ],
    base: Annotated[
        str,
        typer.Option("--base", help="alma-base, or an ONNX file that alma trained.", show_default=False),
    ] = BASE_MODEL,
    out: Annotated[Path, typer.Option("--out", parser=Path, help="File to write.")] = Path("model.onnx"),
    name: Annotated[str | None, typer.Option("--name", help="What the model is called.")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on this machine."""
    from alma.cli.learning import train as train_here

    output = Output(as_json)
    card = train_here(file, base, out, name, output, force=force)
    output.show({"file": str(out), **card}, lambda: tables.trained(card, out, base))
