"""Reads a queue as APEL's loader does and prints what it would tell its database.

Arguments: a checkout of apel, a folder with the Python modules it uses, the queue.
"""

import sys

apel, modules, queue = sys.argv[1:]
sys.path[:0] = [apel, modules]

from dirq.QueueSimple import QueueSimple  # noqa: E402
from apel.db.loader.record_factory import RecordFactory  # noqa: E402


def literal(value):
    """A value of a record as SQL."""
    if value is None:
        return "NULL"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


messages = QueueSimple(queue)
name = messages.first()
while name:
    if messages.lock(name):
        text = messages.get(name)
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        for record in RecordFactory().create_records(text):
            values = record.get_db_tuple("/CN=test")
            print("CALL ReplaceCloudRecord(%s);" % ", ".join(map(literal, values)))
        messages.remove(name)
    name = messages.next()
