"""Reads the hosts and the machines of a cloud with pyone, as a monitor in Python would.

Argument: the endpoint of oned.
"""

import resource
import sys
import time

import pyone


def taken():
    """Seconds of processor so far."""
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


one = pyone.OneServer(sys.argv[1], session="oneadmin:opennebula")
for _ in range(3):
    before, begun = taken(), time.monotonic()
    hosts = one.hostpool.info().HOST
    machines = one.vmpool.info(-2, -1, -1, -1).VM
    names = sum(len(machine.NAME) for machine in machines)
    print(
        "pyone: %d hosts, %d machines, %.2f s of processor, %.2f s in all"
        % (len(hosts), len(machines), taken() - before, time.monotonic() - begun)
    )
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("pyone: resident at most %d MiB" % (most // 1024))
