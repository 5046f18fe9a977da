"""Patches of moto, which is made for short tests, so that it runs for days; undone when the runtime stops.

Everything here runs under the lock of `Aws`.
"""

from __future__ import annotations

import base64
import copy
import os
import uuid
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from moto.core.model_instances import model_data
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.moto_server import werkzeug_app
from moto.s3 import models as s3
from moto.s3 import notifications
from moto.s3.utils import _VersionedKeyStore

from infra.local.store import private_file


class Body:
    """An object's bytes in a file, in place of the temporary file that moto keeps open for each object.

    Only what moto calls: one write at the start, reads from a position afterwards.
    """

    def __init__(self, folder: Path, path: Path | None = None) -> None:
        self._folder, self.path, self._position = folder, path, 0

    def seek(self, position: int) -> None:
        self._position = position

    def truncate(self) -> None:
        self.path = None

    def write(self, data: bytes) -> None:
        if data:
            self.path = self._folder / uuid.uuid4().hex
            with os.fdopen(private_file(self.path), "wb") as file:
                file.write(data)

    def read(self, size: int = -1) -> bytes:
        if self.path is None:
            return b""
        with self.path.open("rb") as file:
            file.seek(self._position)
            data = file.read(size)
        self._position += len(data)
        return data

    def close(self) -> None:
        """Do nothing: the file is deleted with its row, see `Store.save_object`."""


def _copy_without_body(key: Any, _memo: dict[int, Any]) -> Any:
    """Copy an object for a listing; the copy shares the file of its bytes."""
    clone = s3.FakeKey.__new__(s3.FakeKey)
    clone.__dict__.update(key.__dict__)
    return clone


def _finalize(key: Any) -> None:
    """Skip moto's warning of files left open: a Body has none."""
    if not isinstance(key.__dict__.get("_value_buffer"), Body):
        _original_finalizer(key)


_original_finalizer = s3.FakeKey.__del__
# Never undone: objects may outlive the runtime.
setattr(s3.FakeKey, "__del__", _finalize)  # noqa: B010 - mypy does not let a method be assigned


class _NotTracked(list[object]):
    """A list that stays empty: moto tracks every instance for a reset, which would leak memory here."""

    def append(self, _instance: object) -> None:
        return


def patch(
    undo: ExitStack,
    *,
    bodies: Path,
    on_key_changed: Callable[[_VersionedKeyStore, str], None],
    on_notification: Callable[[str, Any, Any], None],
) -> None:
    """Patch moto until `undo` closes.

    Parameters
    ----------
    undo : ExitStack
        Takes the reversal of each patch.
    bodies : Path
        Folder for the bytes of S3 objects.
    on_key_changed : callable
        Called with a bucket's key store and the key whose versions changed.
    on_notification : callable
        Called with S3's event name, bucket and key.
    """

    def replace(target: Any, name: str, value: Any) -> None:
        if hasattr(target, name):
            undo.callback(setattr, target, name, getattr(target, name))
        else:
            undo.callback(delattr, target, name)
        setattr(target, name, value)

    class Keys(_VersionedKeyStore):
        def setlist(self, key: Any, list_: Any) -> Any:
            super().setlist(key, list_)
            on_key_changed(self, key)

        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key, value)
            on_key_changed(self, key)

        def pop(self, key: str) -> None:  # type: ignore[override]
            super().pop(key)
            on_key_changed(self, key)

    for service in ("s3", "dynamodb", "sqs"):
        for model in model_data[service].values():
            replace(model, "instances_tracked", _NotTracked())
    replace(s3, "tempfile", SimpleNamespace(SpooledTemporaryFile=lambda max_size=0: Body(bodies)))
    replace(s3, "_VersionedKeyStore", Keys)
    replace(s3.FakeKey, "__deepcopy__", _copy_without_body)
    replace(werkzeug_app, "DISABLE_GLOBAL_CORS", True)
    _patch_puts(replace)
    replace(
        notifications,
        "send_event",
        lambda account, event, bucket, key: on_notification(event, bucket, key),
    )
    _patch_dynamodb(replace)


def _patch_puts(replace: Callable[[Any, str, Any], None]) -> None:
    """Keep what is put as it is: moto looks for a form in it, where its type says so, and loses the bytes."""
    dispatcher = werkzeug_app.DomainDispatcherApplication
    body_of = dispatcher._get_body

    def body_of_others(self: Any, environ: dict[str, Any]) -> str | None:
        return None if environ["REQUEST_METHOD"] == "PUT" else body_of(self, environ)

    replace(dispatcher, "_get_body", body_of_others)
    replace(werkzeug_app.BackendRequest, "want_form_data_parsed", property(lambda each: each.method != "PUT"))


def _candidates(
    table: Any, hash_key: Any, comparison: str | None, bounds: list[Any], index: Any, conditions: Any
) -> list[Any]:
    """Return a superset of a query's items, unsorted; moto filters and sorts it."""
    if index:
        wanted = [(name, value.type, value.value) for name, value in conditions or ()]
        everything = (item for partition in table.items.values() for item in _items_of(partition))
        return [
            item
            for item in everything
            if all(
                (found := item.attrs.get(name)) is not None and (found.type, found.value) == (kind, value)
                for name, kind, value in wanted
            )
        ]
    partition = _items_of(table.items.get(hash_key, {}))
    if comparison and bounds and bounds[0].type == "S":
        low = bounds[0].value
        match comparison:
            case "BEGINS_WITH":
                return [item for item in partition if item.range_key.value.startswith(low)]
            case "EQ" | "=":
                return [item for item in partition if item.range_key.value == low]
    return partition


def _patch_dynamodb(replace: Callable[[Any, str, Any], None]) -> None:
    """Make the cost of a query grow with its result, not with the table."""
    query, all_items = Table.query, Table.all_items
    update_item = DynamoDBBackend.update_item

    def narrowed_query(
        self: Any, hash_key: Any, range_comparison: Any, range_objs: Any, *args: Any, **options: Any
    ) -> Any:
        index = options.get("index_name", args[4] if len(args) > 4 else None)
        conditions = options.get("hash_key_conditions")
        if index and not conditions:
            return query(self, hash_key, range_comparison, range_objs, *args, **options)
        self.narrowed = _candidates(self, hash_key, range_comparison, range_objs, index, conditions)
        try:
            return query(self, hash_key, range_comparison, range_objs, *args, **options)
        finally:
            del self.narrowed

    def narrowed_items(self: Any) -> list[Any]:
        found: list[Any] | None = self.__dict__.get("narrowed")
        return all_items(self) if found is None else found

    def shallow_copy(self: Any, memo: dict[int, Any]) -> Any:
        """Copy a table for the rollback of a transaction: items are never changed in place, see below."""
        clone = copy.copy(self)
        clone.items = defaultdict(
            dict, {k: dict(v) if isinstance(v, dict) else v for k, v in self.items.items()}
        )
        return clone

    def update_a_copy(self: DynamoDBBackend, table_name: str, key: Any, *args: Any, **options: Any) -> Any:
        table = self.tables.get(table_name)
        if table is None:
            return update_item(self, table_name, key, *args, **options)
        hash_key, range_key = self.get_keys_value(table, key)
        before = table.get_item(hash_key, range_key)
        if before is not None:
            _insert(table, copy.deepcopy(before))
        try:
            return update_item(self, table_name, key, *args, **options)
        except BaseException:  # a failed update changes nothing
            if before is not None:
                _insert(table, before)
            else:
                table.delete_item(hash_key, range_key)
            raise

    patch_serializer(replace)
    replace(Table, "query", narrowed_query)
    replace(Table, "all_items", narrowed_items)
    replace(Table, "__deepcopy__", shallow_copy)
    replace(DynamoDBBackend, "update_item", update_a_copy)


#: Types of values that moto holds as they are in JSON.
_PLAIN = {"S", "N", "BOOL", "NULL", "SS", "NS"}


def patch_serializer(replace: Callable[[Any, str, Any], None]) -> None:
    """Serialise DynamoDB values directly: moto tries each of the ten types a value can have."""

    def serialize_structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if isinstance(value, DynamoType) and key:
            serialized[key] = plain(value)
        elif key and shape.name == "AttributeValue" and type(value) is dict and value.keys() <= _PLAIN:
            serialized[key] = value
        else:
            structure(self, serialized, value, shape, key)

    structure = BaseJSONSerializer._serialize_type_structure
    replace(BaseJSONSerializer, "_serialize_type_structure", serialize_structure)


def _items_of(partition: Any) -> list[Any]:
    return list(partition.values()) if isinstance(partition, dict) else [partition]


def _insert(table: Any, item: Any) -> None:
    if item.range_key:
        table.items[item.hash_key][item.range_key] = item
    else:
        table.items[item.hash_key] = item


def plain(value: DynamoType) -> dict[str, Any]:
    """Return an attribute value as DynamoDB's JSON."""
    if value.is_map():
        return {value.type: {key: plain(each) for key, each in value.value.items()}}
    if value.is_list():
        return {value.type: [plain(each) for each in value.value]}
    if value.type == "BS":
        return {"BS": [base64.b64encode(each).decode() for each in value.value]}
    return value.to_json()


def _decoded(value: dict[str, Any]) -> dict[str, Any]:
    """Return DynamoDB's JSON with base64 decoded, which is how moto holds binary values."""
    ((kind, held),) = value.items()
    match kind:
        case "B":
            held = base64.b64decode(held)
        case "BS":
            held = [base64.b64decode(each) for each in held]
        case "M":
            held = {key: _decoded(each) for key, each in held.items()}
        case "L":
            held = [_decoded(each) for each in held]
    return {kind: held}


def restore_item(table: Any, attributes: dict[str, Any]) -> None:
    """Insert a persisted item without moto's constructor, which checks the size for each attribute."""
    item: Any = Item.__new__(Item)
    item.attrs = LimitedSizeDict()
    for key, value in attributes.items():
        dict.__setitem__(item.attrs, key, DynamoType(_decoded(value)))
    item.hash_key = item.attrs[table.hash_key_attr]
    item.range_key = item.attrs[table.range_key_attr] if table.range_key_attr else None
    _insert(table, item)
