"""Reads a queue with dirq and prints its records as rows of the table `records`.

Arguments: a folder with the Python module dirq, the queue.
"""

import sys
import time

modules, queue = sys.argv[1:]
sys.path[:0] = [modules]

from dirq.QueueSimple import QueueSimple  # noqa: E402


def rows(text):
    """The records of a message, each as names and values."""
    header, _, rest = text.partition("\n")
    assert header == "APEL-cloud-message: v0.4", header
    for part in rest.split("%%"):
        lines = [line for line in part.split("\n") if line]
        if lines:
            yield dict(line.split(": ", 1) for line in lines)


messages = QueueSimple(queue)
name = messages.first()
while name:
    if messages.lock(name):
        text = messages.get(name)
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        for row in rows(text):
            # The month of a record is that of its end, or else of its making.
            moment = row["EndTime"] if row["Status"] == "completed" else row["RecordCreateTime"]
            year, month = time.gmtime(int(moment))[:2]
            user = row["GlobalUserName"].replace("'", "''")
            print(
                "REPLACE INTO records VALUES ('%s', %d, %d, '%s', %d, %d);"
                % (
                    row["VMUUID"],
                    year,
                    month,
                    user,
                    int(row["WallDuration"]),
                    int(row["CpuDuration"]),
                )
            )
        messages.remove(name)
    name = messages.next()
