"""Persistence of the local AWS, in a data folder.

A SQLite file holds one row per item, object version, message and pending event, written in the same moment as
moto's memory changes and before the caller gets the answer. Bodies of objects are files beside it. A killed
process loses nothing that was acknowledged; a crash of the operating system may lose the last moments.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local.errors import LocalRuntimeError

_VERSION = 1
_LOCK = "lock"
_TABLES = """
CREATE TABLE items (owner TEXT, key TEXT, body TEXT, PRIMARY KEY (owner, key)) WITHOUT ROWID;
CREATE TABLE objects (bucket TEXT, key TEXT, position INTEGER, body TEXT, file TEXT,
                      PRIMARY KEY (bucket, key, position));
CREATE TABLE messages (queue TEXT, id TEXT, body TEXT, PRIMARY KEY (queue, id));
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, function TEXT, payload BLOB, attempt INTEGER);
"""


def in_use(folder: Path) -> bool:
    """Tell whether a runtime has a data folder open; nothing is made or changed."""
    try:
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # there is none, or opening it will say what is wrong
    return False


class Store:
    """The data folder of one runtime. Not thread-safe: the lock of `Aws` serialises access.

    Parameters
    ----------
    folder : Path
        Created when absent.

    Raises
    ------
    LocalRuntimeError
        The folder is in use, damaged, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bodies = folder / "objects"
        try:
            for each in (folder, self.bodies):
                private_folder(each)
            self._lock = os.fdopen(private_file(folder / _LOCK), "w")
        except OSError as error:
            raise LocalRuntimeError(f"The data folder {folder} cannot be used: {error.strerror}.") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise LocalRuntimeError(
                f"The data folder {folder} is in use by another run; stop that one or choose another folder: "
                "`make run STATE=FOLDER`."
            ) from None
        try:
            self._database = self._opened(folder / "state.sqlite")
        except sqlite3.Error as error:
            self._lock.close()
            raise LocalRuntimeError(
                f"The data in {folder} is damaged ({error}); delete or move that folder to start empty."
            ) from None

    @staticmethod
    def _opened(path: Path) -> sqlite3.Connection:
        for existing in path.parent.glob(f"{path.name}*"):
            existing.chmod(0o600)
        os.close(private_file(path))  # what SQLite puts beside it is as private
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                database.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={_VERSION};COMMIT;")
            elif version != _VERSION:
                raise sqlite3.DatabaseError(f"format {version}, this version reads {_VERSION}")
        except sqlite3.Error:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close the database and release the folder's lock."""
        self._database.close()
        self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Transaction; a nested one joins the outer one."""
        if self._database.in_transaction:
            yield
            return
        self._database.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def items(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield table name and attributes of every item."""
        for owner, body in self._database.execute("SELECT owner, body FROM items"):
            yield owner, json.loads(body)

    def save_item(self, table: str, key: str, attributes: dict[str, Any] | None) -> None:
        """Save an item under its key, or delete it (None)."""
        if attributes is None:
            self._database.execute("DELETE FROM items WHERE owner=? AND key=?", (table, key))
        else:
            self._database.execute("REPLACE INTO items VALUES (?,?,?)", (table, key, _json(attributes)))

    def objects(self) -> Iterator[tuple[str, str, dict[str, Any], Path | None]]:
        """Yield bucket, key, description and body file of every object version, oldest version first."""
        rows = self._database.execute(
            "SELECT bucket, key, body, file FROM objects ORDER BY bucket, key, position"
        )
        for bucket, key, body, file in rows:
            yield bucket, key, json.loads(body), self.bodies / file if file else None

    def save_object(
        self, bucket: str, key: str, versions: Iterable[tuple[dict[str, Any], Path | None]]
    ) -> list[Path]:
        """Replace the versions of an object, oldest first; return the body files that are obsolete."""
        name = (bucket, key)
        before = self._database.execute("SELECT file FROM objects WHERE bucket=? AND key=?", name).fetchall()
        self._database.execute("DELETE FROM objects WHERE bucket=? AND key=?", name)
        used = set()
        for position, (body, path) in enumerate(versions):
            file = path.name if path else None
            used.add(file)
            self._database.execute(
                "INSERT INTO objects VALUES (?,?,?,?,?)", (*name, position, _json(body), file)
            )
        return [self.bodies / file for (file,) in before if file and file not in used]

    def remove_orphans(self) -> None:
        """Delete body files without an object: uploads that a killed run never finished."""
        known = {file for (file,) in self._database.execute("SELECT file FROM objects")}
        for path in self.bodies.iterdir():
            if path.name not in known:
                path.unlink()

    def messages(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield queue name and description of every message, oldest first."""
        for queue, body in self._database.execute("SELECT queue, body FROM messages ORDER BY rowid"):
            yield queue, json.loads(body)

    def save_message(self, queue: str, identifier: str, body: dict[str, Any] | None) -> None:
        """Save a message, or delete it (None)."""
        if body is None:
            self._database.execute("DELETE FROM messages WHERE queue=? AND id=?", (queue, identifier))
        else:
            self._database.execute(
                "INSERT INTO messages VALUES (?,?,?) ON CONFLICT DO UPDATE SET body=excluded.body",
                (queue, identifier, _json(body)),
            )

    def events(self) -> list[tuple[int, str, bytes, int]]:
        """Return id, function, payload and attempts so far of every pending event, oldest first."""
        return self._database.execute(
            "SELECT id, function, payload, attempt FROM events ORDER BY id"
        ).fetchall()

    def add_event(self, function: str, payload: bytes) -> int:
        """Save an event that is to be delivered; return its id."""
        row = self._database.execute("INSERT INTO events VALUES (NULL,?,?,0)", (function, payload)).lastrowid
        assert row is not None
        return row

    def save_event(self, identifier: int, attempt: int | None) -> None:
        """Save the number of failed attempts, or delete the event (None)."""
        if attempt is None:
            self._database.execute("DELETE FROM events WHERE id=?", (identifier,))
        else:
            self._database.execute("UPDATE events SET attempt=? WHERE id=?", (attempt, identifier))


def private_folder(path: Path) -> None:
    """Make a folder, or an existing one, this user's alone: documents and keys are in it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):  # somebody else's, who decides
        path.chmod(0o700)


def private_file(path: Path) -> int:
    """Open a file that is this user's alone, making it if it is not there; return its descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
